/** A model folder in the public layout, opened to be computed with. */
import { i32, input, type Nd, nameOf, nd, params, Scope, type Tensor, type Type } from "../src/ir/index.js";
import {
  type AnyFamily,
  familyOf,
  loadWeights,
  type ModelSizes,
  openModelFolder,
  parametersOf,
  writeModelFolder,
} from "../src/models/index.js";

export interface PublicModel {
  readonly family: AnyFamily;
  readonly config: ModelSizes;
  /** Weights by the graph's names. */
  readonly state: Map<string, Nd>;
}

/** Open a folder: with its language-model head, or the body alone. */
export async function openPublic(path: string, { head = true }: { head?: boolean } = {}): Promise<PublicModel> {
  await using folder = await openModelFolder(path);
  const family = familyOf(folder.config);
  const config = family.fromPublic(folder.config) as ModelSizes;
  const body = () => params([family.body(new Scope(), { ids: rows("ids", [1, 1]) }, config)]);
  const wanted = (head ? parametersOf(family, config) : body()).map((t): [string, Type] => [nameOf(t), t.type]);
  const rename = (name: string) => family.fromPublicName(name, config);
  return { family, config, state: await loadWeights(folder, new Map(wanted), { rename, mayHold: () => !head }) };
}

/** Write it as a folder in the public layout. */
export async function writePublic(path: string, { family, config, state }: PublicModel): Promise<void> {
  const stored = new Map([...state].map(([name, value]) => [family.toPublicName(name, config), value]));
  await writeModelFolder(path, { config: family.toPublic(config), types: stored, value: (name) => stored.get(name)! });
}

/** Rows of whole numbers that are fed: i32 [B T]. */
export const rows = (name: string, [B, T]: readonly [number, number]): Tensor => input(name, i32([B, T]));
/** What is fed as `rows`. */
export const fed = (values: readonly (readonly number[])[]): Nd =>
  nd("i32", [values.length, values[0]!.length], values.flat());

interface Rows {
  readonly ids: Tensor;
  readonly segments: Tensor;
  readonly positions?: Tensor;
}

/** Hidden states [B T D] and logits [B·T V] of rows. */
export function forward(
  { family, config }: PublicModel,
  p: Scope,
  x: Rows,
): { readonly hidden: Tensor; readonly logits: Tensor } {
  const hidden = family.body(p, x, config);
  const [B, T, D] = hidden.dims("B T D");
  return { hidden, logits: family.logits(p, hidden.reshape([B * T, D]), config) };
}
