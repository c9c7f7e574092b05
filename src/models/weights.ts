/** The weights of a folder by the graph's names: whole, or a piece at a time. */
import type { Nd, Shape, Type } from "../ir/index.js";
import type { ModelFolder } from "./folder.js";
import { type MatchOptions, matchTypes } from "./match.js";
import { safetensorsBytes } from "./safetensors.js";
import { type Piece, room } from "./safetensors-pieces.js";

export interface LoadOptions extends MatchOptions {
  /** The graph's name for a public one; undefined for one to ignore. By default the same. */
  readonly rename?: (publicName: string) => string | undefined;
}

/** Weights by the graph's names, as f32. Throws code checkpoint, telling at once all that is missing, unknown or misshapen. */
export async function loadWeights(
  folder: ModelFolder,
  wanted: ReadonlyMap<string, Type>,
  options: LoadOptions = {},
): Promise<Map<string, Nd>> {
  const weights = new Map<string, Nd>();
  for (const [name, home] of homesOf(folder, wanted, options)) weights.set(name, await folder.read(home));
  return weights;
}

/** A weight on its way: its pieces are read when they are asked for, and each is valid until the next one. */
export interface StreamedWeight {
  readonly name: string;
  readonly type: Type;
  pieces(): AsyncGenerator<Piece>;
}

/** The same weights, one after another and each in pieces: of at most `pieceBytes` as stored, by default a 32nd of all. Throws as `loadWeights`, before the first. */
export function* streamWeights(
  folder: ModelFolder,
  wanted: ReadonlyMap<string, Type>,
  { pieceBytes, ...options }: LoadOptions & { readonly pieceBytes?: number } = {},
): Generator<StreamedWeight> {
  const homes = homesOf(folder, wanted, options);
  const total = safetensorsBytes(wanted.values());
  // cutting costs time, and what is not cut is in memory twice for a moment
  const shared = room(pieceBytes ?? Math.min(1 << 26, Math.max(1 << 22, total / 32)));
  for (const [name, home] of homes) yield { name, type: wanted.get(name)!, pieces: () => folder.pieces(home, shared) };
}

/** Where each wanted weight lies, by its name in the folder. */
function homesOf(
  folder: ModelFolder,
  wanted: ReadonlyMap<string, Type>,
  { rename: graphName = (name) => name, ...match }: LoadOptions,
): Map<string, string> {
  const homes = new Map<string, string>();
  for (const name of folder.tensors.keys()) {
    const graph = graphName(name);
    if (graph !== undefined) homes.set(graph, name);
  }
  const found = storedTypes(folder, homes);
  matchTypes(folder.path, wanted, found, match);
  return new Map([...wanted.keys()].flatMap((name) => (homes.has(name) ? [[name, homes.get(name)!] as const] : [])));
}

/** Types by the graph's names, from where each weight lies: stored floats count as f32, since they are widened when they are read. */
export function storedTypes(
  folder: ModelFolder,
  homes: ReadonlyMap<string, string>,
): Map<string, { readonly dtype: string; readonly shape: Shape }> {
  return new Map(
    [...homes].map(([graph, name]) => {
      const { dtype, shape } = folder.tensors.get(name)!;
      return [graph, { dtype: /^(B?F16|F32|F64)$/.test(dtype) ? "f32" : dtype.toLowerCase(), shape }];
    }),
  );
}
