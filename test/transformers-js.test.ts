/** transformers.js on exported folders: the labels, vectors and texts that plinth gives. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { exportModel, generateText, predict } from "../src/index.js";
import { inputs, nameOf, nd, params, roots } from "../src/ir/index.js";
import { openBase } from "../src/jobs/base.js";
import { weightsOf } from "../src/jobs/export-folder.js";
import { answering } from "../src/jobs/portable.js";
import { parametersOf } from "../src/models/index.js";
import { reference } from "../src/runtime/index.js";
import { decoderOf, generate } from "../src/serve/index.js";
import { shared } from "./shared.js";
import { temporary } from "./temporary.js";
import { sentences, type TinyOptions, writeTiny } from "./tiny-saved.js";

/** As much of transformers.js as is used here. */
interface Transformers {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  pipeline(task: string, model: string, o: { dtype: string }): Promise<Pipeline>;
}
type Pipeline = (
  input: string | readonly string[],
  o?: Record<string, unknown>,
) => Promise<{ readonly dims: number[]; readonly data: Float32Array } & readonly Record<string, unknown>[]>;

const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const main = join(
  cache,
  "plinth-test/transformers-js/node_modules/@huggingface/transformers/dist/transformers.node.mjs",
);
const there = existsSync(main);
if (!there) console.warn(`skipped: no transformers.js in ${cache}/plinth-test (node scripts/transformers-js.mjs)`);

const folder = temporary("plinth-transformers-js-");
const labels = ["animal", "food", "weather"];
const made: Record<string, TinyOptions> = {
  classifier: { family: "bert", labels, pooling: "mean" },
  vectors: { family: "bert" },
  gpt: { family: "gpt", begins: true },
  llama: { family: "llama", config: { keyValueHeads: 2, window: 6 } },
  t5: { family: "t5" },
};

let pipeline: Transformers["pipeline"];
beforeAll(async () => {
  if (!there) return;
  const { env, pipeline: open } = (await import(/* @vite-ignore */ pathToFileURL(main).href)) as Transformers;
  env.allowRemoteModels = false;
  env.localModelPath = join(folder(), "out");
  pipeline = (...of) => open(...of);
  for (const [name, tiny] of Object.entries(made)) {
    await writeTiny(join(folder(), name), tiny);
    const out = join(folder(), "out", name);
    for await (const _ of exportModel({
      model: join(folder(), name),
      out,
      format: ["onnx"],
      body: name === "vectors",
    }));
  }
}, 60_000);

/** The mean of what plinth makes of a text's tokens, of length 1. */
async function vector(text: string): Promise<number[]> {
  const base = await openBase(join(folder(), "vectors"));
  const { cls, sep } = base.tokenizer.special;
  const ids = [cls!, ...(await base.tokenizer.encode(text)), sep!];
  const program = answering({ ...base, task: "feature-extraction" }, { batch: 1, sequence: ids.length, source: 1 });
  await using session = await reference.open(await weightsOf(base, params(roots(program))));
  const of = (values: number[] | number) => nd("i32", [1, ids.length], values);
  const fed = { input_ids: of(ids), attention_mask: of(1), token_type_ids: of(0) };
  const names = inputs(program).map(nameOf) as (keyof typeof fed)[];
  const out = await session.run(program, Object.fromEntries(names.map((name) => [name, fed[name]])));
  const hidden = Array.from(out["last_hidden_state"]!.data, Number);
  const sums = Array.from({ length: 32 }, (_, d) => ids.reduce((sum, _, t) => sum + hidden[t * 32 + d]!, 0));
  const norm = Math.hypot(...sums);
  return sums.map((x) => x / norm);
}

/** What plinth writes, always the likeliest token. */
async function written(model: string, prompt: string): Promise<string> {
  let whole = "";
  const o = { model: join(folder(), model), prompt, tokens: 12, temperature: 0 };
  for await (const piece of generateText(o)) whole += piece;
  return whole;
}

/** The same, from a source. */
async function translated(model: string, text: string): Promise<string> {
  const { family, config, tokenizer, ...base } = await openBase(join(folder(), model));
  const { pad, eos } = tokenizer.special;
  const source = [...(await tokenizer.encode(text)), eos!];
  await using session = await reference.open(await base.weights(parametersOf(family, config)));
  const ids: number[] = [];
  const o = { source, prompt: [pad!], stop: [eos!], tokens: 12, temperature: 0 };
  for await (const { id } of generate(session, decoderOf(family, config), o)) ids.push(id);
  return tokenizer.decode(ids);
}

describe.skipIf(!there)("transformers.js", () => {
  test.each([
    ["fp32", 1e-4],
    ["fp16", 1e-2],
    ["q8", 0.1],
  ] as const)("gives the labels of a classifier, %s", async (dtype, tolerance) => {
    const classify = await pipeline("text-classification", "classifier", { dtype });
    const found = await classify(sentences, { top_k: 1 });
    const wanted = predict({ texts: sentences, model: join(folder(), "classifier"), top: 1 });
    let i = 0;
    for await (const {
      labels: [best],
    } of wanted) {
      const [said] = [found[i++]].flat() as unknown as { label: string; score: number }[];
      expect(Math.abs(said!.score - best!.probability)).toBeLessThan(tolerance);
      if (dtype !== "q8") expect(said!.label).toBe(best!.label);
    }
    expect(i).toBe(sentences.length);
  });

  test("gives a text's vector", async () => {
    const extract = await pipeline("feature-extraction", "vectors", { dtype: "fp32" });
    const { data, dims } = await extract(sentences, { pooling: "mean", normalize: true });
    expect(dims).toEqual([sentences.length, 32]);
    for (const [row, text] of sentences.entries()) {
      const own = await vector(text);
      own.forEach((x, d) => {
        expect(Math.abs(data[row * 32 + d]! - x)).toBeLessThan(1e-5);
      });
    }
  });

  test.each(["gpt", "llama"])("writes the text of a %s on, token by token with its past", async (name) => {
    const write = await pipeline("text-generation", name, { dtype: "fp32" });
    for (const prompt of ["the large cat", "rain"]) {
      const [found] = await write(prompt, { max_new_tokens: 12, do_sample: false, return_full_text: false });
      const own = await written(name, prompt);
      expect(own.length).toBeGreaterThan(0);
      expect(found!["generated_text"]).toBe(own);
    }
  });

  test("writes the text of a T5, which reads its source once", async () => {
    const write = await pipeline("text2text-generation", "t5", { dtype: "fp32" });
    for (const prompt of sentences.slice(0, 2)) {
      const [found] = await write(prompt, { max_new_tokens: 12, do_sample: false });
      const own = await translated("t5", prompt);
      expect(own.length).toBeGreaterThan(0);
      expect(found!["generated_text"]).toBe(own);
    }
  });
});

const minilm = join(cache, "plinth-test/minilm");
const vectors = shared("conformance_minilm");
const real = Boolean(there && vectors) && existsSync(join(minilm, "model.safetensors"));
if (there && !real) console.warn(`skipped: no all-MiniLM-L6-v2 in ${minilm}`);

test.skipIf(!real)(
  "transformers.js gives the public vectors of an all-MiniLM-L6-v2 that went through plinth",
  async () => {
    const out = join(folder(), "out", "minilm");
    for await (const _ of exportModel({ model: minilm, out, format: ["onnx"], precisions: ["f32"] }));
    const extract = await pipeline("feature-extraction", "minilm", { dtype: "fp32" });
    const all = JSON.parse(gunzipSync(readFileSync(`${vectors}/expected.json.gz`)).toString()) as {
      readonly sentences: readonly { readonly text: string; readonly embedding: readonly number[] }[];
    };
    const found = await extract(
      all.sentences.map(({ text }) => text),
      { pooling: "mean", normalize: true },
    );
    // they are printed with six decimals
    for (const [row, { embedding }] of all.sentences.entries())
      for (const [d, x] of embedding.entries()) expect(Math.abs(found.data[row * 384 + d]! - x)).toBeLessThan(1e-5);
  },
);
