/** Where a value first stops being a finite number: every value of a program, asked for one by one. */
import {
  inputs,
  isFloat,
  isInput,
  isParam,
  type Nd,
  nameOf,
  nodes,
  type Program,
  roots,
  show,
  type Tensor,
} from "../ir/index.js";
import type { Session } from "../runtime/index.js";
import "../ops/index.js";

export interface TraceOptions {
  readonly feeds: Readonly<Record<string, Nd>>;
  /** Parameters whose own values do not count, such as sums of what came before. */
  readonly except: ReadonlyMap<string, unknown>;
}

/** The first operation that makes a number that is not finite from numbers that are, in words; undefined when there is none. */
export async function firstNonFinite(
  session: Session,
  program: Program,
  { feeds, except }: TraceOptions,
): Promise<string | undefined> {
  const values = nodes(roots(program))
    .flatMap(({ outputs }) => outputs)
    .filter((t) => isFloat(t.dtype) && (t.inputs.length || isParam(t) || isInput(t)));
  const probes = Object.fromEntries(values.map((t, i) => [`${i}`, t.abs().sum()]));
  const probing: Program = { outputs: probes, next: {} };
  const fed = Object.fromEntries(inputs(probing).map((t) => [nameOf(t), feeds[nameOf(t)]!]));
  const found = await session.run(probing, fed);
  const bad = new Set(values.filter((_, i) => !Number.isFinite(Number(found[i]!.data[0]))));
  const first = values.find(
    (t) => bad.has(t) && !(isParam(t) && except.has(nameOf(t))) && !t.inputs.some((x) => bad.has(x)),
  );
  if (!first) return undefined;
  if (isParam(first) || isInput(first)) return `${nameOf(first)} itself`;
  const near = nearestParameter(first);
  return `${first.op.name} ${show(first.type)}${near ? `, computed from ${near}` : ""}`;
}

/** The parameter that the fewest operations lie between. */
function nearestParameter(t: Tensor): string | undefined {
  const seen = new Set<Tensor>();
  for (let level = [t]; level.length; level = level.flatMap((x) => x.inputs).filter((x) => !seen.has(x))) {
    const found = level.find(isParam);
    if (found) return nameOf(found);
    for (const x of level) seen.add(x);
  }
  return undefined;
}
