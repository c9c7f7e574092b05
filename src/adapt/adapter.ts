/** An adapter: what an adaptation learnt, by itself, tied to the base it was learnt on. */
import { createHash } from "node:crypto";
import { fail, type Nd } from "../ir/index.js";
import { openSafetensors, writeSafetensors } from "../models/index.js";

type State = ReadonlyMap<string, Nd>;

export interface Adapter {
  /** `hashWeights` of the base. */
  readonly base: string;
  /** The adaptation it belongs to, such as `lora`, and its options, as JSON values. */
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What was learnt, by name. */
  readonly tensors: State;
}

/** SHA-256 of names, types, shapes and values, whatever their order; as hexadecimal digits. */
export function hashWeights(weights: State): string {
  const hash = createHash("sha256");
  for (const name of [...weights.keys()].sort()) {
    const { dtype, shape, data } = weights.get(name)!;
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** The state of the adapted model. Throws `base` when the adapter was learnt on another base. */
export function withAdapter(base: State, adapter: Adapter): Map<string, Nd> {
  const found = hashWeights(base);
  if (found !== adapter.base)
    throw fail(
      "base",
      `this ${adapter.method} adapter belongs to the base ${adapter.base.slice(0, 12)}…, not to ${found.slice(0, 12)}…`,
      "name the base model it was trained on, unchanged",
    );
  return new Map([...base, ...adapter.tensors]);
}

const format = "plinth-adapter-1";

/** Write an adapter as one safetensors file, whole or not at all. */
export const saveAdapter = (path: string, { base, method, options, tensors }: Adapter): Promise<void> =>
  writeSafetensors(path, {
    types: new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
    value: (name) => tensors.get(name)!,
    metadata: { format, base, method, options: JSON.stringify(options) },
    checksum: true,
  });

/** Read an adapter. Throws `checkpoint` when the file is damaged or is no adapter. */
export async function loadAdapter(path: string): Promise<Adapter> {
  await using file = await openSafetensors(path);
  const { format: found, base, method, options } = file.metadata;
  if (found !== format || !base || !method)
    throw fail("checkpoint", `${path} is no adapter`, "name the adapter.safetensors of an adapted run");
  await file.verify();
  const tensors = new Map<string, Nd>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
  return { base, method, options: optionsOf(options, path), tensors };
}

function optionsOf(text: string | undefined, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (value && typeof value === "object") return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw fail("checkpoint", `${path} has options that are no JSON object`, "save the adapter again");
}
