/** A model folder of random weights, of any size: written a weight at a time. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { random, trainTokenizer } from "../src/data/index.js";
import { nameOf, size } from "../src/ir/index.js";
import { type AnyFamily, type ModelSizes, parametersOf, writeModelFolder } from "../src/models/index.js";

/** Numbers around 0 that repeat after a while: to draw each by itself would take longer than to write and read them. */
const numbers = (count: number): Float32Array => {
  const rng = random(1);
  return Float32Array.from({ length: count }, () => (rng.uniform() - 0.5) / 16);
};

/** Write it, and say how many bytes its weights have as f32. */
export async function writeRandomModel(
  folder: string,
  { family, config, floats = "f32" }: { family: AnyFamily; config: ModelSizes; floats?: "f32" | "f16" | "bf16" },
): Promise<number> {
  const wanted = parametersOf(family, config);
  const types = new Map(wanted.map((t) => [family.toPublicName(nameOf(t), config), t.type]));
  const some = numbers(99_991);
  const kind = family.objective === "masked" ? "wordpiece" : "bpe";
  const tokenizer = await trainTokenizer(["one two one two"], { kind, vocabSize: 300 });
  await tokenizer.save(`${folder}.tokenizer`);
  await writeModelFolder(folder, {
    config: family.toPublic(config),
    types,
    floats,
    value(name) {
      const { shape } = types.get(name)!;
      const data = new Float32Array(size(shape));
      for (let at = 0; at < data.length; at += some.length) data.set(some.subarray(0, data.length - at), at);
      return { dtype: "f32", shape, data };
    },
    files: { "tokenizer.json": await readFile(join(`${folder}.tokenizer`, "tokenizer.json")) },
  });
  await rm(`${folder}.tokenizer`, { recursive: true });
  return 4 * wanted.reduce((sum, t) => sum + size(t.shape), 0);
}
