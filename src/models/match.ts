/** What a model needs against what a file holds: every difference is told at once, with the nearest names. */
import { fail, nearest, sameShape } from "../ir/index.js";

interface Kind {
  readonly dtype: string;
  readonly shape: readonly number[];
}
export interface MatchOptions {
  /** Names that may be missing from the file. */
  readonly mayLack?: (name: string) => boolean;
  /** Names that may be in the file without being needed. */
  readonly mayHold?: (name: string) => boolean;
}

const most = 12;

/** Throws code checkpoint, listing missing, unknown and misshapen tensors, unless `found` holds just what is `wanted`. */
export function matchTypes(
  path: string,
  wanted: ReadonlyMap<string, Kind>,
  found: ReadonlyMap<string, Kind>,
  { mayLack = () => false, mayHold = () => false }: MatchOptions = {},
): void {
  const extra = [...found.keys()].filter((name) => !wanted.has(name) && !mayHold(name));
  const missing = [...wanted.keys()].filter((name) => !found.has(name) && !mayLack(name));
  const shape = [...wanted].flatMap(([name, want]) => {
    const is = found.get(name);
    if (!is || (is.dtype === want.dtype && sameShape(is.shape, want.shape))) return [];
    return [`${name} is ${text(is)}, the model has ${text(want)}`];
  });
  if (!extra.length && !missing.length && !shape.length) return;
  const lines = [
    ...list("missing", missing, (name) => near(name, extra)),
    ...list("not in the model", extra, (name) => near(name, missing)),
    ...list("of another shape", shape, () => ""),
  ];
  throw fail(
    "checkpoint",
    `${path} does not fit the model (${wanted.size} tensors wanted, ${found.size} found)\n${lines.join("\n")}`,
    "use the configuration that these weights were trained with",
  );
}

const text = ({ dtype, shape }: Kind) => `${dtype}[${shape.join(",")}]`;

function list(title: string, names: readonly string[], more: (name: string) => string): string[] {
  const shown = names.slice(0, most).map((name) => `  ${title}: ${name}${more(name)}`);
  return names.length > most ? [...shown, `  ${title}: ${names.length - most} more`] : shown;
}

function near(name: string, others: readonly string[]): string {
  const other = nearest(name, others);
  return other ? ` (nearest: ${other})` : "";
}
