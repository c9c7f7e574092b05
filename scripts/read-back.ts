/**
 * Writes models for Python to read back: every kind of test/fixtures/families, trained for a few steps so that its weights are
 * plinth's own, in the folder named, each with what plinth computes. Then: python3 scripts/read-back.py <folder>
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { f32, input, nd, Scope } from "../src/ir/index.js";
import { crossEntropy } from "../src/ops/index.js";
import { adamw, training } from "../src/optim/index.js";
import { chooseEngine } from "../src/runtime/index.js";
import { fed, forward, openPublic, rows, writePublic } from "../test/public-model.js";

const fixtures = fileURLToPath(new URL("../test/fixtures/families", import.meta.url));
const [out] = process.argv.slice(2);
if (!out) throw new Error("name the folder to write into");
const engine = await chooseEngine();

async function trained(kind: string): Promise<void> {
  const model = await openPublic(join(fixtures, kind));
  const x = JSON.parse(readFileSync(join(fixtures, kind, "expected.json"), "utf8")) as Record<string, number[][]>;
  const [ids, real, labels] = [x["ids"]!, x["real"]!, x["labels"]!];
  const shape = [ids.length, ids[0]!.length] as const;
  const N = shape[0] * shape[1];
  const weights = input("trained", f32([N]));
  const { logits } = forward(model, new Scope(), { ids: rows("ids", shape), segments: rows("real", shape) });
  const [losses] = crossEntropy(logits, rows("labels", shape).reshape([N]));
  const objective = { sum: losses.mul(weights).sum(), count: weights.sum() };
  const { step, state } = training(objective, adamw(), { clip: 1, decays: model.family.decays });
  await using session = await engine.open(new Map([...model.state, ...state]));
  const batch = { ids: fed(ids), real: fed(real), labels: fed(labels), trained: nd("f32", [N], x["trained"]!.flat()) };
  for (let i = 1; i <= 10; i++) {
    const clock = { learningRate: nd("f32", [], 1e-2), step: nd("f32", [], i) };
    await session.run(step, { ...batch, ...clock });
  }
  for (const name of model.state.keys()) model.state.set(name, await session.read(name));
  await writePublic(join(out!, kind), model);
  const { y } = await session.run({ outputs: { y: logits }, next: {} }, { ids: batch.ids, real: batch.real });
  const expected = { engine: engine.name, ids, real, logits: Array.from(y!.data as Float32Array) };
  writeFileSync(join(out!, kind, "plinth.json"), `${JSON.stringify(expected)}\n`);
}

for (const at of readdirSync(fixtures, { withFileTypes: true })) if (at.isDirectory()) await trained(at.name);
