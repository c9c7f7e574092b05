import { expect, test } from "vitest";
import { evaluate, exact, i32, input, nd, params, Scope } from "../ir/index.js";
import { type AnyFamily, families, gptConfig, type ModelSizes, memoryOf, parametersOf } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { adamw, training } from "../optim/index.js";
import { native, ort, reference, type Session, type State } from "../runtime/index.js";
import { languageModelling } from "../tasks/language-modelling.js";
import { decoderOf } from "./decoder.js";
import { type GenerateOptions, generate, generateAll } from "./generate.js";
import { bucketOf } from "./rows.js";
import { logSum, sample } from "./sample.js";
import { writer } from "./text.js";

const { bart, bert, gpt, llama, t5 } = families;
const config = gptConfig.parse({
  vocabSize: 13,
  contextLength: 24,
  layers: 1,
  heads: 2,
  hiddenSize: 16,
  initialDeviation: 0.3,
});
const state = initialise(parametersOf(gpt, config), 5);

const decoder = decoderOf(gpt, config);

async function ids(session: Session, o: Omit<GenerateOptions, "tokens"> & { prompt: number[]; tokens?: number }) {
  const found: number[] = [];
  for await (const { id } of generate(session, decoder, { tokens: 6, ...o })) found.push(id);
  return found;
}

/** The likeliest next token by a forward pass over a whole text, in float64. */
function likeliest(family: AnyFamily, model: ModelSizes, weights: State, text: readonly number[], source?: number[]) {
  const p = new Scope();
  const row = (name: string, length: number) => input(name, i32([1, length]));
  const memory = source && memoryOf(family, model, { p, ids: row("source", source.length) });
  const hidden = family.body(p, { ids: row("ids", text.length), memory }, model);
  const scores = family.logits(p, hidden.slice(1, text.length - 1, text.length).reshape([1, hidden.shape[2]!]), model);
  const feeds = new Map([...weights, ["ids", nd("i32", [1, text.length], text)] as const]);
  if (source) feeds.set("source", nd("i32", [1, source.length], source));
  const [all] = evaluate([scores], new Map([...feeds].map(([name, value]) => [name, exact(value)])));
  return all!.data.indexOf(Math.max(...all!.data));
}

const small = { vocabSize: 13, contextLength: 96, layers: 2, heads: 2, hiddenSize: 16, initialDeviation: 0.3 };
const source = [3, 1, 4, 1, 5, 9, 2, 6];
const kinds: Record<string, { family: AnyFamily; model: ModelSizes; source?: number[] }> = {
  gpt: { family: gpt, model: gptConfig.parse(small) },
  "gpt with rotary positions": { family: gpt, model: gptConfig.parse({ ...small, positions: "rotary" }) },
  "llama with shared heads and a window": {
    family: llama,
    model: llama.config.parse({ ...small, keyValueHeads: 1, window: 24, windowFrom: 1, queryKeyNorm: true }),
  },
  t5: { family: t5, model: t5.config.parse({ ...small, relativeDistance: 32 }), source },
  bart: { family: bart, model: bart.config.parse({ ...small }), source },
};

test.each(Object.entries(kinds))(
  "greedy generation of %s takes the most likely token of a forward over the whole text, on every engine",
  async (_, { family, model, source }) => {
    const weights = initialise(parametersOf(family, model), 5);
    const prompt = Array.from({ length: 60 }, (_, i) => (i * i + 3 * i) % 13);
    for (const engine of [reference, ort, native]) {
      if (!(await engine.probe()).available) continue;
      await using session = await engine.open(weights);
      // over the ends of buckets: of the prompt, and of what is looked at
      for (const [start, tokens] of [
        [3, 4],
        [15, 8],
        [60, 8],
      ] as const) {
        const seen = prompt.slice(0, start);
        const o = { prompt: prompt.slice(0, start), tokens, temperature: 0, ...(source && { source }) };
        for await (const { id } of generate(session, decoderOf(family, model), o)) {
          expect(id).toBe(likeliest(family, model, weights, seen, source));
          seen.push(id);
        }
        expect(seen.length).toBe(start + tokens);
      }
    }
  },
);

test("texts of different lengths are, side by side, what they are alone: drawn or not, over the context's end, ended early", async () => {
  const prompts = [[1], [2, 3, 4, 5, 6, 7], [8, 9, 10], Array.from({ length: 20 }, (_, i) => (i * 5) % 13)];
  for (const engine of [reference, native]) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(state);
    for (const o of [{ temperature: 0 }, { temperature: 1, seed: 3 }, { temperature: 1, stop: [5], seed: 4 }]) {
      const beside: number[][] = prompts.map(() => []);
      const texts = prompts.map((prompt) => ({ prompt }));
      for await (const choices of generateAll(session, decoder, { ...o, texts, tokens: 30 }))
        for (const [row, choice] of choices.entries()) if (choice) beside[row]!.push(choice.id);
      for (const [row, prompt] of prompts.entries())
        expect(beside[row]).toEqual(await ids(session, { ...o, prompt, tokens: 30 }));
    }
  }
});

test("a text that outgrows the context forgets its older half", async () => {
  await using session = await reference.open(state);
  const seen = Array.from({ length: 20 }, (_, i) => (i * 5) % 13);
  const { contextLength } = config;
  let window = [...seen];
  for (const id of await ids(session, { prompt: seen, temperature: 0, tokens: 40 })) {
    expect(id).toBe(likeliest(gpt, config, state, window));
    window.push(id);
    if (window.length > contextLength) window = window.slice(contextLength / 2);
  }
});

test("a cache is freed when a text ends, and texts that are written at once have caches of their own", async () => {
  await using session = await reference.open(state);
  const held = async () => {
    const kept = session.names().filter((name) => name.startsWith("cache."));
    return Promise.all(kept.map(async (name) => (await session.read(name)).data.length));
  };
  const writing = generate(session, decoder, { prompt: [1, 2], tokens: 5 });
  await writing.next();
  expect((await held()).some((length) => length > 0)).toBe(true);
  await writing.return(undefined);
  expect(await held()).toEqual([0, 0]);
});

test("lengths fall into few buckets, none of which wastes much", () => {
  const lengths = Array.from({ length: 2000 }, (_, i) => i + 1);
  expect(lengths.every((n) => bucketOf(n) >= n && bucketOf(n) <= Math.max(n + 15, n * 1.25))).toBe(true);
  expect(new Set(lengths.map(bucketOf)).size).toBe(24);
});

test("the same seed draws the same text, another seed another, on every engine", async () => {
  const texts = new Set<string>();
  for (const engine of [reference, ort]) {
    await using session = await engine.open(state);
    const same = [1, 1].map((seed) => ids(session, { prompt: [1, 2, 3], seed }));
    const [first, second] = await Promise.all(same);
    expect(first).toEqual(second);
    texts.add(first!.join());
    expect(await ids(session, { prompt: [1, 2, 3], seed: 2 })).not.toEqual(first);
  }
  expect(texts.size).toBe(1);
});

test("generation ends at a stop token, which is not given out, or when it is told to", async () => {
  await using session = await reference.open(state);
  const free = await ids(session, { prompt: [4], temperature: 0 });
  const stop = free.at(3)!;
  expect(await ids(session, { prompt: [4], temperature: 0, stop: [stop] })).toEqual(free.slice(0, free.indexOf(stop)));
  expect(await ids(session, { prompt: [4], signal: AbortSignal.abort() })).toEqual([]);
});

test("a model that learnt a rhythm goes on with it", async () => {
  const tiny = gptConfig.parse({ vocabSize: 5, contextLength: 16, layers: 1, heads: 1, hiddenSize: 16 });
  const { objective } = languageModelling(gpt, tiny, { p: new Scope(), batch: 2, length: 8 });
  const { step, state: memory } = training(objective, adamw());
  await using session = await ort.open(new Map([...initialise(params([objective.sum]), 0), ...memory]));
  const song = (from: number) =>
    nd(
      "i32",
      [2, 8],
      Array.from({ length: 16 }, (_, i) => (i + from + (i >> 3)) % 4),
    );
  const rows = {
    segments: nd("i32", [2, 8], 1),
    positions: nd(
      "i32",
      [2, 8],
      [...Array(16)].map((_, i) => i % 8),
    ),
  };
  for (let i = 1; i <= 60; i++) {
    const clock = { learningRate: nd("f32", [], 0.02), step: nd("f32", [], i) };
    await session.run(step, { ids: song(i), labels: song(i + 1), weights: nd("f32", [2, 8], 1), ...rows, ...clock });
  }
  const found: number[] = [];
  const o = { prompt: [2, 3, 0], tokens: 5, temperature: 0 };
  for await (const { id, logProbability } of generate(session, decoderOf(gpt, tiny), o)) {
    found.push(id);
    expect(Math.exp(logProbability)).toBeGreaterThan(0.5);
  }
  expect(found).toEqual([1, 2, 3, 0, 1]);
});

test("temperature, top-k and top-p shape what may be drawn", () => {
  const scores = Float32Array.from([0.5, 0.2, 0.2, 0.1], Math.log);
  const drawn = (o: Parameters<typeof sample>[2]) => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) counts[sample(scores, (i + 0.5) / 1000, o)]!++;
    return counts;
  };
  expect(drawn({})).toEqual([500, 200, 200, 100]);
  expect(drawn({ temperature: 0 })).toEqual([1000, 0, 0, 0]);
  expect(drawn({ topK: 2 })).toEqual([714, 286, 0, 0]);
  expect(drawn({ topP: 0.6 })).toEqual([714, 286, 0, 0]);
  expect(drawn({ topP: 0.01 })).toEqual([1000, 0, 0, 0]);
  expect(drawn({ temperature: 0.5 })).toEqual([735, 118, 118, 29]);
  expect(drawn({ minP: 0.3 })).toEqual([556, 222, 222, 0]);
  expect(drawn({ minP: 0.3, topK: 2 })).toEqual([714, 286, 0, 0]);
  expect(logSum(scores)).toBeCloseTo(0, 6);
});

test("what cannot be generated is refused", async () => {
  await using session = await reference.open(state);
  await expect(ids(session, { prompt: [] })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the prompt is empty
      help: give it a text, or start from the end-of-text token]
  `);
  await expect(ids(session, { prompt: [1], temperature: -1 })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: temperature is -1
      help: 0 is greedy, 1 is the model's own distribution]
  `);
  await expect(ids(session, { prompt: [1], topP: 0 })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: topP is 0
      help: a probability above 0, at most 1]
  `);
  await expect(ids(session, { prompt: [1], topK: 0 })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: topK is 0
      help: a whole number from 1]
  `);
  const writer = decoderOf(t5, kinds["t5"]!.model);
  const from = (source: number[]) => generate(session, writer, { prompt: [0], source, tokens: 1 }).next();
  await expect(from([])).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the source is empty
      help: give the text that the model is to write from]
  `);
  await expect(from(Array(97).fill(1))).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a source of 97 tokens is longer than the context of 96
      help: shorten it, or write from its parts]
  `);
  expect(() => decoderOf(bert, bert.presets["bert-1m"])).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a bert model fills in masked words and cannot write on
      help: generate with one that writes, such as gpt, llama or t5]
  `);
  expect(() => logSum(Float32Array.of(1, Number.NaN))).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the model's scores are not finite numbers
      help: its weights are broken: train or load it again]
  `);
});

async function writtenBy(w: ReturnType<typeof writer>, ids: Iterable<number>): Promise<string[]> {
  const pieces: string[] = [];
  for (const id of ids) pieces.push(await w.push(id));
  return [...pieces, await w.end()];
}
const utf8 = (text: string) => [...new TextEncoder().encode(text)];
const decode = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids));

test("text comes out in whole characters", async () => {
  const pieces = await writtenBy(writer({ decode }), utf8("a né 🌍!"));
  expect(pieces.filter(Boolean)).toEqual(["a", " ", "n", "é", " ", "🌍", "!"]);
  expect(await writtenBy(writer({ decode }), utf8("né").slice(0, -1))).toEqual(["n", "", "\ufffd"]);
});

test("nothing of a stop string comes out, and what only looks like one does", async () => {
  const stops = ["END.", "\n\n", "ENOUGH"];
  const written = async (text: string) => {
    const w = writer({ decode, stops });
    const pieces = await writtenBy(w, utf8(text));
    return { pieces: pieces.filter(Boolean), stopped: w.stopped };
  };
  expect(await written("go END. on")).toEqual({ pieces: ["g", "o", " "], stopped: true });
  expect(await written("EN END")).toEqual({ pieces: ["EN ", "END"], stopped: false });
  expect(await written("a\nb\n\nc")).toEqual({ pieces: ["a", "\nb"], stopped: true });
  expect(await written("ENEND.")).toEqual({ pieces: ["EN"], stopped: true });
});

test("a token's text is what it is behind the prompt", async () => {
  // as sentencepiece's decoder does: the first space is taken away
  const words = ["▁The", "▁cat", "▁sat"];
  const sentence = (ids: readonly number[]) =>
    ids
      .map((id) => words[id])
      .join("")
      .replaceAll("▁", " ")
      .slice(1);
  expect(await writtenBy(writer({ decode: sentence, before: [0] }), [1, 2])).toEqual([" cat", " sat", ""]);
  expect(await writtenBy(writer({ decode: sentence }), [1, 2])).toEqual(["cat", " sat", ""]);
});
