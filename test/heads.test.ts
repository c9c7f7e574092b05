/** The heads of encoders against transformers: what fixtures/families/write.py saved, on every engine. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { inputs, type Nd, nameOf, nd, type Program, params, Scope, type Tensor } from "../src/ir/index.js";
import { openSafetensors } from "../src/models/index.js";
import { initialise } from "../src/nn/index.js";
import { adamw, training } from "../src/optim/index.js";
import { ort } from "../src/runtime/index.js";
import { spanExtraction, textClassification, tokenClassification } from "../src/tasks/index.js";
import { present } from "./present.js";
import { fed, openPublic, type PublicModel } from "./public-model.js";

const fixtures = fileURLToPath(new URL("fixtures/families", import.meta.url));
const kinds = readdirSync(fixtures).filter((kind) => existsSync(join(fixtures, kind, "heads.safetensors")));
const [batch, length, classes] = [2, 9, 3];

const heads = {
  sequence: ({ family, config }: PublicModel) =>
    textClassification(family, config, { p: new Scope(), batch, length, classes, pooling: "cls" }),
  token: ({ family, config }: PublicModel) =>
    tokenClassification(family, config, { p: new Scope(), batch, length, classes }),
  span: ({ family, config }: PublicModel) => spanExtraction(family, config, { p: new Scope(), batch, length }),
};
type Head = keyof typeof heads;

/** A body of the fixtures, rows for it, and which of their tokens are real. */
async function opened(kind: string) {
  const model = await openPublic(join(fixtures, kind), { head: false });
  const x = JSON.parse(readFileSync(join(fixtures, kind, "expected.json"), "utf8")) as Record<string, number[][]>;
  const rows = { ids: fed(x["ids"]!), segments: fed(x["real"]!), types: nd("i32", [batch, length], 0) };
  return { model, rows, real: x["real"]!.flat() };
}

/** The feeds that a program takes: not every encoder has types of tokens. */
const taken = (program: Program, feeds: Readonly<Record<string, Nd>>): Record<string, Nd> =>
  Object.fromEntries(inputs(program).map((t) => [nameOf(t), feeds[nameOf(t)]!]));

describe.each(kinds)("%s", (kind) => {
  describe.each(Object.keys(heads) as Head[])("with a %s head", (head) => {
    test.each(present)("gives on %s the logits that it gives in PyTorch", async (_, engine) => {
      const { model, rows, real } = await opened(kind);
      await using file = await openSafetensors(join(fixtures, kind, "heads.safetensors"));
      const state = new Map(model.state);
      for (const stored of file.tensors.keys()) {
        const own =
          stored.startsWith(`${head}.`) && model.family.fromPublicName(stored.slice(head.length + 1), model.config);
        if (own && own !== "logits") state.set(own, await file.read(stored));
      }
      const { logits } = heads[head](model).outputs;
      expect(params([logits]).map(nameOf).sort()).toEqual([...state.keys()].sort());
      await using session = await engine.open(state);
      const program = { outputs: { y: logits }, next: {} };
      const { y } = await session.run(program, taken(program, rows));
      const want = await file.read(`${head}.logits`);
      const width = want.shape.at(-1)!;
      want.data.forEach((value, i) => {
        if (head === "sequence" || real[Math.floor(i / width)])
          expect(Math.abs(Number(y!.data[i]) - Number(value))).toBeLessThan(1e-5);
      });
    });
  });
});

const answers: Record<Head, Record<string, Nd>> = {
  sequence: { labels: nd("i32", [batch], [2, 0]), weights: nd("f32", [batch], 1) },
  token: {
    labels: nd(
      "i32",
      [batch, length],
      Array.from({ length: batch * length }, (_, i) => i % classes),
    ),
    weights: nd(
      "f32",
      [batch, length],
      Array.from({ length: batch * length }, (_, i) => (i % 2 ? 1 : 0)),
    ),
  },
  span: { start: nd("i32", [batch], [1, 2]), end: nd("i32", [batch], [3, 2]), weights: nd("f32", [batch], 1) },
};

test.each(Object.keys(heads) as Head[])(
  "a %s head learns what it is told, and counts what it learnt from",
  async (head) => {
    const { model, rows } = await opened("bert");
    const { objective, outputs } = heads[head](model);
    const { step, state, trainable } = training(objective, adamw(), { clip: 1, decays: model.family.decays });
    await using session = await ort.open(new Map([...initialise(trainable, 1), ...model.state, ...state]));
    const batched = { ...rows, ...answers[head] };
    const run = (program: Program, more: Readonly<Record<string, Nd>> = {}) =>
      session.run(program, taken(program, { ...batched, ...more }));
    const only = (wanted: Readonly<Record<string, Tensor>>) => run({ outputs: wanted, next: {} });
    const before = await only({ ...objective });
    expect(before["count"]!.data[0]).toBe(head === "token" ? 9 : 2);
    for (let i = 1; i <= 20; i++) await run(step, { learningRate: nd("f32", [], 1e-2), step: nd("f32", [], i) });
    const after = await only({ sum: objective.sum, ...outputs });
    expect(Number(after["sum"]!.data[0])).toBeLessThan(Number(before["sum"]!.data[0]) / 4);
    for (const name of ["probabilities", "starts", "ends"]) {
      const { data, shape } = after[name] ?? nd("f32", [1, 1], 1);
      const rows = data.length / shape.at(-1)!;
      expect(Array.from(data as Float32Array).reduce((a, b) => a + b) / rows).toBeCloseTo(1, 5);
    }
    if (head === "span") for (const place of [7, 8]) expect(after["starts"]!.data[length + place]).toBe(0);
  },
);
