/** Every kind of public model against transformers: what fixtures/families/write.py saved, on every engine. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { grad } from "../src/grad/index.js";
import { f32, input, type Nd, nameOf, nd, PlinthError, params, Scope } from "../src/ir/index.js";
import { familyOf, openModelFolder, openSafetensors } from "../src/models/index.js";
import { crossEntropy } from "../src/ops/index.js";
import { type Engine, engines } from "../src/runtime/index.js";
import { present } from "./present.js";
import { fed, forward, openPublic, rows, writePublic } from "./public-model.js";
import { temporary } from "./temporary.js";

interface Expected {
  readonly ids: number[][];
  readonly real: number[][];
  readonly labels: number[][];
  readonly trained: number[][];
  readonly loss: number;
  readonly greedy?: { readonly prompt: number[]; readonly continuation: number[] };
}
const folder = temporary("plinth-families-");
const fixtures = fileURLToPath(new URL("fixtures/families", import.meta.url));
const kinds = readdirSync(fixtures, { withFileTypes: true }).flatMap((at) => (at.isDirectory() ? [at.name] : []));
const expectedOf = (kind: string) =>
  JSON.parse(readFileSync(join(fixtures, kind, "expected.json"), "utf8")) as Expected;

/** Largest difference, over the rows of the last axis that `rows` marks. */
function difference(got: Nd, want: Nd, marked?: readonly number[]): number {
  expect(got.data.length).toBe(want.data.length);
  const width = want.shape.at(-1)!;
  let most = 0;
  for (const [i, value] of got.data.entries())
    if (!marked || marked[Math.floor(i / width)]) most = Math.max(most, Math.abs(Number(value) - Number(want.data[i])));
  return most;
}

// float32 against float64; transformers computes rotary angles and RMSNorm in float32 even there, so the reference is no nearer
const tolerance = 1e-5;

async function step(kind: string, engine: Engine) {
  const model = await openPublic(join(fixtures, kind));
  const x = expectedOf(kind);
  const shape = [x.ids.length, x.ids[0]!.length] as const;
  const N = shape[0] * shape[1];
  const { hidden, logits } = forward(model, new Scope(), { ids: rows("ids", shape), segments: rows("real", shape) });
  const weights = input("trained", f32([N]));
  const [losses] = crossEntropy(logits, rows("labels", shape).reshape([N]));
  const loss = losses.mul(weights).sum().div(weights.sum());
  const learning = params([loss]);
  const gradients = Object.fromEntries(grad(loss, learning).map((g, i) => [`gradient ${nameOf(learning[i]!)}`, g]));
  await using session = await engine.open(model.state);
  const trained = nd("f32", [N], x.trained.flat());
  const batch = { ids: fed(x.ids), real: fed(x.real), labels: fed(x.labels), trained };
  const out = await session.run({ outputs: { hidden, logits, loss, ...gradients }, next: {} }, batch);
  return { ...model, x, out };
}

describe.each(kinds)("%s", (kind) => {
  test.each(present)(
    "computes on %s what it does in PyTorch: hidden states, logits, every gradient",
    async (_, engine) => {
      const { family, config, x, out } = await step(kind, engine);
      await using expected = await openSafetensors(join(fixtures, kind, "expected.safetensors"));
      // what padding computes is nobody's business
      for (const one of ["hidden", "logits"])
        expect(difference(out[one]!, await expected.read(one), x.real.flat()), one).toBeLessThan(tolerance);
      expect(Math.abs(Number(out["loss"]!.data[0]) - x.loss)).toBeLessThan(tolerance);
      const named = [...expected.tensors.keys()].filter((one) => one.startsWith("gradient."));
      const own = named.map((one) => family.fromPublicName(one.slice("gradient.".length), config));
      expect(
        Object.keys(out)
          .filter((one) => one.startsWith("gradient"))
          .sort(),
      ).toEqual(own.map((one) => `gradient ${one}`).sort());
      for (const [i, one] of named.entries())
        expect(difference(out[`gradient ${own[i]}`]!, await expected.read(one)), one).toBeLessThan(1e-4);
    },
  );

  test("is written as a folder with the same tensors and a config that means the same", async () => {
    const { family, config, state } = await openPublic(join(fixtures, kind));
    const path = join(folder(), kind);
    await writePublic(path, { family, config, state });
    const again = await openPublic(path);
    expect(again.family).toBe(family);
    expect(again.config).toEqual(config);
    await using theirs = await openModelFolder(join(fixtures, kind));
    await using ours = await openModelFolder(path);
    expect(ours.config["model_type"]).toBe(theirs.config["model_type"]);
    expect(ours.config["architectures"]).toEqual(theirs.config["architectures"]);
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    for (const name of ours.tensors.keys()) expect(await ours.read(name), name).toEqual(await theirs.read(name));
  });

  test("sees the same whichever side a row is padded on", async () => {
    const model = await openPublic(join(fixtures, kind));
    const { ids, real } = expectedOf(kind);
    const [row, segments] = [ids[1]!, real[1]!];
    const short = segments.filter(Boolean).length;
    const moved = <T>(values: readonly T[]) => [...values.slice(short), ...values.slice(0, short)];
    const shape = [1, row.length] as const;
    const x = { ids: rows("ids", shape), segments: rows("segments", shape), positions: rows("positions", shape) };
    const { hidden } = forward(model, new Scope(), x);
    await using session = await engines.reference.open(model.state);
    const run = async (turn: <T>(values: readonly T[]) => readonly T[]) => {
      const positions = row.map((_, i) => (i < short ? i : 0));
      const feeds = { ids: fed([turn(row)]), segments: fed([turn(segments)]), positions: fed([turn(positions)]) };
      const { y } = await session.run({ outputs: { y: hidden }, next: {} }, feeds);
      return y!.data;
    };
    const width = model.config.hiddenSize;
    const right = (await run((values) => values)).slice(0, short * width);
    const left = (await run(moved)).slice(-short * width);
    left.forEach((value, i) => {
      expect(value).toBeCloseTo(Number(right[i]), 6);
    });
  });
});

const decoders = kinds.filter((kind) => expectedOf(kind).greedy);
describe.each(decoders)("%s", (kind) => {
  test.each(present)("goes on with a text on %s as transformers does", async (_, engine) => {
    const model = await openPublic(join(fixtures, kind));
    const { prompt, continuation } = expectedOf(kind).greedy!;
    const shape = [1, prompt.length + continuation.length] as const;
    const { logits } = forward(model, new Scope(), { ids: rows("ids", shape), segments: rows("real", shape) });
    const program = { outputs: { best: logits.argmax(1) }, next: {} };
    await using session = await engine.open(model.state);
    const text = [...prompt];
    while (text.length < shape[1]) {
      const padded = (value: (i: number) => number) => fed([Array.from({ length: shape[1] }, (_, i) => value(i))]);
      const batch = { ids: padded((i) => text[i] ?? 0), real: padded((i) => (i < text.length ? 1 : 0)) };
      const { best } = await session.run(program, batch);
      text.push(Number(best!.data[text.length - 1]));
    }
    expect(text.slice(prompt.length)).toEqual(continuation);
  });
});

test.each(kinds)(
  "%s: nonsense under any key of config.json is a config that comes back, or an error that says so",
  (kind) => {
    const json = JSON.parse(readFileSync(join(fixtures, kind, "config.json"), "utf8")) as Record<string, unknown>;
    const more = ["rope_scaling", "rope_parameters", "no_rope_layers", "layer_types", "plinth", "use_sliding_window"];
    const nonsense = [null, 0, -1, 1.5, 1e9, "x", [], [1, 2], {}, { a: {} }, true, false, Number.NaN];
    const cases = [...Object.keys(json), ...more].flatMap((key) =>
      nonsense.map((value) => ({ ...json, [key]: value })),
    );
    for (const one of cases) {
      try {
        const family = familyOf(one);
        const config = family.fromPublic(one);
        expect(family.fromPublic(JSON.parse(JSON.stringify(family.toPublic(config))))).toEqual(config);
      } catch (error) {
        if (!(error instanceof PlinthError)) throw error;
        expect(error.message).toMatch(/^config.json/);
      }
    }
  },
);

test("a model_type that is not known is answered with those that are", () => {
  const types = kinds.map((kind) => {
    const json = JSON.parse(readFileSync(join(fixtures, kind, "config.json"), "utf8")) as Record<string, unknown>;
    return String(json["model_type"]);
  });
  const asked = () => familyOf({ model_type: "qwen" });
  expect(asked).toThrow(
    'config.json: model_type "qwen" is not one plinth has\n  help: did you mean qwen2? supported: ',
  );
  for (const type of types) expect(asked).toThrow(type);
});

test("what plinth writes of each kind gave the same logits in Python: scripts/read-back.py's output", () => {
  const { models } = JSON.parse(readFileSync(join(fixtures, "read-back.json"), "utf8")) as {
    models: Record<string, { keys: string; difference: number }>;
  };
  expect(Object.keys(models).sort()).toEqual([...kinds].sort());
  for (const [kind, { keys, difference }] of Object.entries(models)) {
    expect([kind, keys]).toEqual([kind, "all"]);
    expect(difference, kind).toBeLessThan(1e-5);
  }
});
