/** T5 and BART against PyTorch: what transformers computes, written once by fixtures/encoder-decoder/models.py, and the way there and back through a model folder. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { grad } from "../src/grad/index.js";
import {
  constant,
  type Exact,
  evaluate,
  exact,
  f32,
  i32,
  input,
  type Nd,
  nameOf,
  nd,
  params,
  Scope,
  type Tensor,
} from "../src/ir/index.js";
import {
  families,
  familyOf,
  loadWeights,
  memoryOf,
  openModelFolder,
  parametersOf,
  writeModelFolder,
} from "../src/models/index.js";
import { crossEntropy } from "../src/ops/index.js";
import { type Engine, engines } from "../src/runtime/index.js";
import { temporary } from "./temporary.js";

const { t5, bart } = families;
const home = temporary("plinth-t5-");
interface Packed {
  readonly shape: number[];
  readonly f32: string;
}
type Rows = readonly (readonly number[])[];
interface Fixture {
  readonly config: Record<string, unknown>;
  readonly stateNames: string[];
  readonly ids: Rows;
  readonly real: Rows;
  readonly start: Rows;
  readonly target: Rows;
  readonly written: Rows;
  readonly encoder: Packed;
  readonly decoder: Packed;
  readonly logits: Packed;
  readonly loss: number;
  readonly greedy: Rows;
  readonly weights: Record<string, Packed>;
  readonly gradients: Record<string, Packed>;
}
const json = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`fixtures/encoder-decoder/${name}.json`, import.meta.url), "utf8"));
const names = ["t5-1.0", "t5-1.1", "bart"] as const;
const opened = (name: string) => {
  const x = json(name) as Fixture;
  const family = familyOf(x.config);
  const config = family.fromPublic(x.config);
  const own = (tensors: Record<string, Packed>) =>
    new Map(
      Object.entries(tensors).flatMap(([stored, value]) => {
        const graph = family.fromPublicName(stored, config);
        return graph ? [[graph, unpack(value)] as const] : [];
      }),
    );
  return { x, family, config, weights: own(x.weights), gradients: own(x.gradients) };
};

function unpack({ shape, f32: text }: Packed): Nd<"f32"> {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return nd("f32", shape, new Float32Array(bytes.buffer));
}
const whole = (rows: Rows): Tensor => constant(rows.flat(), i32([rows.length, rows[0]!.length]));

/** Largest difference in the rows that are not padding. */
function difference(got: Nd, want: Nd, real?: readonly number[]): number {
  expect(got.shape).toEqual(want.shape);
  const width = got.shape.at(-1)!;
  const [a, b] = [exact(got).data, exact(want).data];
  return b.reduce((most, y, i) => {
    const counts = !real || real[Math.floor(i / width)];
    return counts ? Math.max(most, Math.abs(a[i]! - y)) : most;
  }, 0);
}

function built({ x, family, config }: ReturnType<typeof opened>) {
  const p = new Scope();
  const memory = memoryOf(family, config, { p, ids: whole(x.ids), segments: whole(x.real) })!;
  const decoder = family.body(p, { ids: whole(x.start), segments: whole(x.written), memory }, config);
  const [B, T, D] = decoder.dims("B T D");
  const logits = family.logits(p, decoder.reshape([B * T, D]), config);
  const [losses] = crossEntropy(logits, whole(x.target).reshape([B * T]));
  const weights = x.written.flat();
  const count = weights.reduce((a, b) => a + b, 0);
  const loss = losses
    .mul(constant(weights, f32([B * T])))
    .sum()
    .div(count);
  return { encoder: memory.hidden, decoder, logits: logits.reshape([B, T, config.vocabSize]), loss };
}

// float64 and float32 in plinth's own order; ONNX Runtime fuses and reorders float32 further
const tolerance = { reference: 1e-5, native: 1e-5, ort: 1e-4 } as const;
const cases = names.flatMap((name) => Object.entries(tolerance).map(([engine, most]) => ({ name, engine, most })));

test.each(cases)(
  "$name on $engine computes what transformers does: hidden states, logits, every gradient, padding and all",
  async ({ name, engine, most }) => {
    const chosen: Engine = engines[engine as keyof typeof engines];
    if (!(await chosen.probe()).available) return console.warn(`skipped: no ${engine} engine here`);
    const fixture = opened(name);
    const { x, weights, gradients } = fixture;
    const { loss, ...values } = built(fixture);
    const trained = params([loss]);
    expect(new Set(trained.map(nameOf))).toEqual(new Set(gradients.keys()));
    const slopes = Object.fromEntries(grad(loss, trained).map((g, i) => [nameOf(trained[i]!), g]));
    await using session = await chosen.open(weights);
    const got = await session.run({ outputs: { ...values, ...slopes, loss }, next: {} }, {});
    expect(Math.abs(Number(got["loss"]!.data[0]) - x.loss)).toBeLessThan(most);
    expect(difference(got["encoder"]!, unpack(x.encoder), x.real.flat())).toBeLessThan(most);
    expect(difference(got["decoder"]!, unpack(x.decoder), x.written.flat())).toBeLessThan(most);
    expect(difference(got["logits"]!, unpack(x.logits), x.written.flat())).toBeLessThan(most);
    for (const [parameter, want] of gradients)
      expect(difference(got[parameter]!, want), parameter).toBeLessThan(10 * most);
  },
);

test.each(names)("%s goes on greedily as transformers does, ten tokens, from a source with padding", async (name) => {
  const { x, family, config, weights } = opened(name);
  await using session = await engines.reference.open(weights);
  const rows: number[][] = x.ids.map(() => [config.start]);
  for (let n = 1; n <= 10; n++) {
    const p = new Scope();
    const memory = memoryOf(family, config, { p, ids: whole(x.ids), segments: whole(x.real) })!;
    const ids = input("ids", i32([rows.length, n]));
    const last = family.body(p, { ids, memory }, config).slice(1, n - 1, n);
    const next = family.logits(p, last.reshape([rows.length, config.hiddenSize]), config).argmax(1);
    const out = await session.run({ outputs: { next }, next: {} }, { ids: nd("i32", [rows.length, n], rows.flat()) });
    rows.forEach((row, b) => {
      row.push(Number(out["next"]!.data[b]));
    });
  }
  expect(rows.map((row) => row.slice(1))).toEqual(x.greedy);
});

test.each(names)("%s reads two sources and writes two targets in one row as it does in two", (name) => {
  const { x, family, config, weights } = opened(name);
  // the second pair first, without its padding, and then the first
  const joined = (rows: Rows, real: Rows) => [...rows[1]!.filter((_, i) => real[1]![i]), ...rows[0]!];
  const numbered = (real: Rows) => joined([real[0]!.map(() => 2), real[1]!.map(() => 1)], real);
  const row = (values: number[]) => whole([[...values, 0, 0]]);
  const laid = (rows: Rows, real: Rows) => {
    const positions = joined(
      rows.map((one) => one.map((_, i) => i)),
      real,
    );
    return { ids: row(joined(rows, real)), segments: row(numbered(real)), positions: row(positions) };
  };
  const p = new Scope();
  const memory = memoryOf(family, config, { p, ...laid(x.ids, x.real) })!;
  const target = { ...laid(x.start, x.written), memory };
  const given = new Map([...weights].map(([graph, value]): [string, Exact] => [graph, exact(value)]));
  const [packed] = evaluate([family.body(p, target, config)], given);
  const apart = [...exact(unpack(x.decoder)).data];
  const width = config.hiddenSize;
  const T = x.start[0]!.length;
  const second = apart.slice(T * width).filter((_, i) => x.written[1]![Math.floor(i / width)]);
  const expected = [...second, ...apart.slice(0, T * width)];
  expected.forEach((want, i) => {
    expect(Math.abs(packed!.data[i]! - want)).toBeLessThan(1e-5);
  });
});

test.each(names)("%s reads and writes the public names and config", (name) => {
  const { x, family, config } = opened(name);
  const written = family.toPublic(config);
  expect(family.fromPublic(written)).toEqual({ ...config, initialDeviation: 0.02 });
  for (const [key, value] of Object.entries(written))
    if (key in x.config && key !== "architectures") expect([key, value]).toEqual([key, x.config[key]]);
  const ignored = x.stateNames.filter((stored) => !family.fromPublicName(stored, config));
  const copies = /^(model\.)?(encoder|decoder)\.embed_tokens\.weight$|^final_logits_bias$/;
  expect(ignored.filter((stored) => !copies.test(stored))).toEqual(config.tied === false ? [] : ["lm_head.weight"]);
  const own = parametersOf(family, config).map((t) => family.toPublicName(nameOf(t), config));
  expect(own.sort()).toEqual(x.stateNames.filter((stored) => !ignored.includes(stored)).sort());
});

test.each(names)("%s comes back from a model folder with the same weights and the same config", async (name) => {
  const { family, config, weights } = opened(name);
  const folder = home();
  const types = new Map(
    [...weights].map(([graph, { dtype, shape }]) => [family.toPublicName(graph, config), { dtype, shape }]),
  );
  const value = (stored: string) => weights.get(family.fromPublicName(stored, config)!)!;
  await writeModelFolder(folder, { config: family.toPublic(config), types, value });
  await using read = await openModelFolder(folder);
  expect(family.fromPublic(read.config)).toEqual(config);
  const wanted = new Map(parametersOf(family, config).map((t) => [nameOf(t), t.type]));
  const loaded = await loadWeights(read, wanted, { rename: (stored) => family.fromPublicName(stored, config) });
  for (const [graph, want] of weights) expect(loaded.get(graph)).toEqual(want);
  expect(loaded.size).toBe(weights.size);
});

test("a decoder without a source, and configs of other architectures, are refused with what to do", () => {
  const config = t5.presets["t5-1m"];
  const ids = input("ids", i32([1, 4]));
  expect(() => t5.body(new Scope(), { ids }, config)).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a t5 model writes from a source, and none was given
      help: give what its encoder made of one as memory]
  `);
  expect(() => bart.body(new Scope(), { ids }, bart.presets["bart-1m"])).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a bart model writes from a source, and none was given
      help: give what its encoder made of one as memory]
  `);
  expect(() =>
    bart.fromPublic({ ...opened("bart").x.config, normalize_before: true }),
  ).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json: normalize_before true is not supported
      help: supported: false]
  `);
  const { x } = opened("t5-1.0");
  expect(() => t5.fromPublic({ ...x.config, feed_forward_proj: "gated-silu" })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json: feed_forward_proj "gated-silu" is not supported
      help: supported: "relu", "gated-gelu", "gated-gelu_new"]
  `);
  expect(() => t5.fromPublic({ ...x.config, is_encoder_decoder: false })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json: is_encoder_decoder false is not supported
      help: supported: true]
  `);
  expect(() => t5.fromPublic({ ...x.config, num_heads: undefined })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json does not describe this model: ✖ Invalid input: expected number, received undefined
      → at heads]
  `);
  const refused = (o: object) => t5.config.safeParse({ ...config, ...o }).error?.issues[0]?.message;
  expect(refused({ heads: 3 })).toMatchInlineSnapshot(`"hiddenSize must be a multiple of heads, or headSize set"`);
  expect(refused({ relativeDistance: 16 })).toMatchInlineSnapshot(
    `"relativeDistance must be more than half of relativeBuckets"`,
  );
});
