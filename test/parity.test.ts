/** The families against PyTorch: values and gradients written once by fixtures/parity/models.py. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { grad } from "../src/grad/index.js";
import {
  constant,
  type Exact,
  evaluate,
  exact,
  f32,
  i32,
  nameOf,
  params,
  Scope,
  type Tensor,
} from "../src/ir/index.js";
import { type AnyFamily, families, familyOf } from "../src/models/index.js";
import { crossEntropy } from "../src/ops/index.js";
import { present } from "./present.js";
import { fed, forward, openPublic, rows } from "./public-model.js";
import { shared } from "./shared.js";

interface Packed {
  readonly shape: number[];
  readonly f32: string;
}
interface Fixture {
  readonly config: Record<string, unknown>;
  readonly stateNames: string[];
  readonly ids: number[][];
  readonly real: number[][];
  readonly types: number[][];
  readonly trained: number[][];
  readonly labels: number[];
  readonly places: number[];
  readonly hidden: Packed;
  readonly logits: Packed;
  readonly pooled: Packed;
  readonly direction: Packed;
  readonly loss: number;
  readonly weights: Record<string, Packed>;
  readonly gradients: Record<string, Packed>;
}
const fixture = (name: string): Fixture =>
  JSON.parse(readFileSync(new URL(`fixtures/parity/${name}.json`, import.meta.url), "utf8")) as Fixture;

function unpack({ shape, f32: text }: Packed): Exact {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return { shape, data: Float64Array.from(new Float32Array(bytes.buffer)) };
}
const whole = (rows: readonly (readonly number[])[]): Tensor =>
  constant(rows.flat(), i32([rows.length, rows[0]!.length]));
const real = (packed: Packed): Tensor => constant(unpack(packed).data, f32(packed.shape));

/** Public weights under the graph's names. */
function renamed(family: AnyFamily, config: unknown, tensors: Record<string, Packed>): Map<string, Exact> {
  const entries = Object.entries(tensors).flatMap(([name, value]) => {
    const own = family.fromPublicName(name, config);
    return own ? [[own, unpack(value)] as const] : [];
  });
  return new Map(entries);
}

/** Largest difference, over the places `at` (all by default). */
function difference(got: Exact, want: Exact, rows?: readonly number[]): number {
  expect(got.data.length).toBe(want.data.length);
  const width = got.shape.at(-1)!;
  let most = 0;
  got.data.forEach((x, i) => {
    if (!rows || rows[Math.floor(i / width)]) most = Math.max(most, Math.abs(x - want.data[i]!));
  });
  return most;
}

interface Built {
  readonly loss: Tensor;
  readonly hidden: Tensor;
  readonly logits: Tensor;
  readonly others: readonly (readonly [Tensor, Packed])[];
}

function compare(name: string, build: (p: Scope, family: AnyFamily, config: unknown, x: Fixture) => Built): void {
  const x = fixture(name);
  const family = familyOf(x.config);
  const config = family.fromPublic(x.config);
  const built = build(new Scope(), family, config, x);
  const weights = params([built.loss]);
  const gradients = renamed(family, config, x.gradients);
  expect(new Set(weights.map(nameOf))).toEqual(new Set(gradients.keys()));
  const roots = [built.loss, built.hidden, built.logits, ...built.others.map(([t]) => t), ...grad(built.loss, weights)];
  const [loss, hidden, logits, ...rest] = evaluate(roots, renamed(family, config, x.weights));
  // the fixture's tensors are rounded to float32, and Llama's norms and angles are computed in it
  expect(Math.abs(loss!.data[0]! - x.loss)).toBeLessThan(1e-7);
  // what padding computes is nobody's business
  expect(difference(hidden!, unpack(x.hidden), x.real.flat())).toBeLessThan(1e-6);
  const rows = name === "bert" ? undefined : x.real.flat();
  expect(difference(logits!, unpack(x.logits), rows)).toBeLessThan(1e-6);
  built.others.forEach(([, want], i) => {
    expect(difference(rest[i]!, unpack(want))).toBeLessThan(1e-6);
  });
  weights.forEach((w, i) => {
    const got = rest[built.others.length + i]!;
    expect(difference(got, gradients.get(nameOf(w))!), nameOf(w)).toBeLessThan(1e-6);
  });
}

const causal = [
  ["GPT computes what transformers' GPT-2 does", "gpt2"],
  ["GPT with rotary positions, SwiGLU and RMSNorm computes what transformers' Llama does", "modern"],
] as const;
test.each(causal)("%s: hidden states, logits, every gradient", (_, name) => {
  compare(name, (p, family, config, x) => {
    const ids = whole(x.ids);
    const hidden = family.body(p, { ids, segments: whole(x.real) }, config);
    const [B, T, D] = hidden.dims("B T D");
    const logits = family.logits(p, hidden.reshape([B * T, D]), config);
    const trained = x.trained.flat();
    const [losses] = crossEntropy(logits, constant(x.labels.flat(), i32([B * T])));
    const loss = losses.mul(constant(trained, f32([B * T]))).sum();
    return { loss: loss.div(trained.reduce((a, b) => a + b)), hidden, logits, others: [] };
  });
});

test("BERT computes what transformers' BERT does: hidden states, masked places, pooler, every gradient", () => {
  compare("bert", (p, family, config, x) => {
    const segments = whole(x.real);
    const hidden = family.body(p, { ids: whole(x.ids), types: whole(x.types), segments }, config);
    const [B, T, D] = hidden.dims("B T D");
    const N = x.places.length;
    const places = constant(x.places, i32([N]));
    const logits = family.logits(p, hidden.reshape([B * T, D]).gather(places), config);
    const pooled = family.pooled(p, hidden, { segments, pooling: "cls" }, config);
    const [losses] = crossEntropy(logits, constant(x.labels, i32([N])));
    const loss = losses.mean().add(pooled.mul(real(x.direction)).sum());
    return { loss, hidden, logits, others: [[pooled, x.pooled]] };
  });
});

test("names and configs map to the public format and back", () => {
  for (const name of ["gpt2", "bert"]) {
    const x = fixture(name);
    const family = familyOf(x.config);
    const config = family.fromPublic(x.config);
    const written = family.toPublic(config);
    expect(family.fromPublic(written)).toEqual(config);
    for (const [key, value] of Object.entries(written))
      if (key in x.config && key !== "architectures") expect([key, value]).toEqual([key, x.config[key]]);
    for (const stored of x.stateNames) {
      const own = family.fromPublicName(stored, config);
      if (own) expect(family.toPublicName(own, config)).toBe(stored);
    }
    const ignored = x.stateNames.filter((stored) => !family.fromPublicName(stored, config));
    expect(ignored).toEqual(
      name === "gpt2"
        ? ["lm_head.weight"]
        : [
            "cls.predictions.decoder.weight",
            "cls.predictions.decoder.bias",
            "cls.seq_relationship.weight",
            "cls.seq_relationship.bias",
          ],
    );
  }
  const { bert } = families;
  const config = bert.presets["bert-1m"];
  expect(bert.fromPublicName("embeddings.LayerNorm.gamma", config)).toBe("bert.embeddings.LayerNorm.weight");
  expect(bert.fromPublicName("embeddings.position_ids", config)).toBeUndefined();
});

test("what a public config asks for and a family does not have is refused", () => {
  const { gpt, bert } = families;
  const gpt2 = gpt.toPublic(gpt.presets["gpt-1m"]);
  const bertJson = bert.toPublic(bert.presets["bert-1m"]);
  expect(() => gpt.fromPublic({ ...gpt2, activation_function: "relu" })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json: activation_function "relu" is not supported
      help: supported: "gelu_new", "gelu_pytorch_tanh", "gelu_fast"]
  `);
  expect(() =>
    bert.fromPublic({ ...bertJson, position_embedding_type: "relative_key" }),
  ).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json: position_embedding_type "relative_key" is not supported
      help: supported: "absolute"]
  `);
  expect(() => bert.fromPublic({ ...bertJson, vocab_size: undefined })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json does not describe this model: ✖ Invalid input: expected number, received undefined
      → at vocabSize]
  `);
  expect(() => familyOf({ model_type: "bloom" })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: config.json: model_type "bloom" is not one plinth has
      help: supported: gpt2, llama, mistral, qwen2, qwen3, smollm3, bert, roberta, xlm-roberta, distilbert, t5, mt5, bart]
  `);
});

const cache = process.env["XDG_CACHE_HOME"] ?? `${homedir()}/.cache`;
const minilm = `${cache}/plinth-test/minilm`;
const vectors = shared("conformance_minilm");
const there = Boolean(vectors) && existsSync(`${minilm}/model.safetensors`);
if (vectors && !there) console.warn(`skipped: no all-MiniLM-L6-v2 in ${minilm}`);

interface Sentence {
  readonly ids: number[];
  readonly embedding: number[];
  readonly last_hidden_first4: number[];
}

describe.skipIf(!there)("the public all-MiniLM-L6-v2", () => {
  test.each(present)("gives its public hidden states and embeddings on %s", async (name, engine) => {
    const model = await openPublic(minilm, { head: false });
    const all = JSON.parse(gunzipSync(readFileSync(`${vectors}/expected.json.gz`)).toString()) as {
      sentences: Sentence[];
    };
    // the reference takes two seconds for each
    const sentences = all.sentences.slice(0, name === "reference" ? 2 : undefined);
    const [B, T] = [sentences.length, Math.max(...sentences.map((s) => s.ids.length))];
    const segments = rows("segments", [B, T]);
    const { hidden } = forward(model, new Scope(), { ids: rows("ids", [B, T]), segments });
    const pooled = model.family.pooled(new Scope(), hidden, { segments, pooling: "mean" }, model.config);
    const unit = pooled.div(pooled.square().sum([1], { keep: true }).sqrt());
    const padded = (value: (id: number | undefined) => number) =>
      fed(sentences.map(({ ids }) => Array.from({ length: T }, (_, i) => value(ids[i]))));
    await using session = await engine.open(model.state);
    const { y, first } = await session.run(
      { outputs: { y: unit, first: hidden.slice(1, 0, 1).slice(2, 0, 4) }, next: {} },
      { ids: padded((id) => id ?? 0), segments: padded((id) => (id === undefined ? 0 : 1)) },
    );
    const want = (width: number, values: (s: Sentence) => number[]): Exact => ({
      shape: [B, width],
      data: Float64Array.from(sentences.flatMap(values)),
    });
    // the expected values are float32 results; embeddings are printed with six decimals, hidden states with five
    expect(
      difference(
        exact(y!),
        want(384, (s) => s.embedding),
      ),
    ).toBeLessThan(1e-5);
    expect(
      difference(
        exact(first!),
        want(4, (s) => s.last_hidden_first4),
      ),
    ).toBeLessThan(1e-5);
  });
});
