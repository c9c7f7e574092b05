import { expect, test } from "vitest";
import { evaluate, exact, i32, input, nd, params, Scope } from "../ir/index.js";
import { families, gptConfig, parametersOf } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { adamw, training } from "../optim/index.js";
import { ort, reference, type Session } from "../runtime/index.js";
import { languageModelling } from "../tasks/language-modelling.js";
import { type GenerateOptions, generate, nextToken, text } from "./generate.js";
import { sample } from "./sample.js";

const { gpt, bert } = families;
const config = gptConfig.parse({
  vocabSize: 13,
  contextLength: 24,
  layers: 1,
  heads: 2,
  hiddenSize: 16,
  initialDeviation: 0.3,
});
const state = initialise(parametersOf(gpt, config), 5);

async function ids(session: Session, o: Omit<GenerateOptions, "tokens"> & { prompt: number[]; tokens?: number }) {
  const found: number[] = [];
  for await (const { id } of generate(session, nextToken(gpt, config), { tokens: 6, ...o })) found.push(id);
  return found;
}

test("greedy generation takes the most likely token of a full forward, whatever the bucket and beyond the context", async () => {
  await using session = await reference.open(state);
  const prompt = Array.from({ length: 21 }, (_, i) => (i * 5) % 13);
  for (const start of [3, 15, 21]) {
    const seen = prompt.slice(0, start);
    for (const id of await ids(session, { prompt: seen, temperature: 0 })) {
      const window = seen.slice(-config.contextLength);
      const row = input("ids", i32([1, window.length]));
      const p = new Scope();
      const scores = gpt.logits(p, gpt.body(p, { ids: row }, config).reshape([window.length, 16]), config);
      const feeds = new Map([...state, ["ids", nd("i32", [1, window.length], window)] as const]);
      const [all] = evaluate([scores], new Map([...feeds].map(([name, value]) => [name, exact(value)])));
      const last = all!.data.subarray(-13);
      expect(id).toBe(last.indexOf(Math.max(...last)));
      seen.push(id);
    }
  }
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
  const small = gptConfig.parse({ vocabSize: 5, contextLength: 16, layers: 1, heads: 1, hiddenSize: 16 });
  const { objective } = languageModelling(gpt, small, { p: new Scope(), batch: 2, length: 8 });
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
  for await (const { id, logProbability } of generate(session, nextToken(gpt, small), o)) {
    found.push(id);
    expect(Math.exp(logProbability)).toBeGreaterThan(0.5);
  }
  expect(found).toEqual([1, 2, 3, 0, 1]);
});

test("temperature, top-k and top-p shape what may be drawn", () => {
  const scores = Float32Array.from([0.5, 0.2, 0.2, 0.1], Math.log);
  const drawn = (o: Parameters<typeof sample>[2]) => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) counts[sample(scores, (i + 0.5) / 1000, o).id]!++;
    return counts;
  };
  expect(drawn({})).toEqual([500, 200, 200, 100]);
  expect(drawn({ temperature: 0 })).toEqual([1000, 0, 0, 0]);
  expect(drawn({ topK: 2 })).toEqual([714, 286, 0, 0]);
  expect(drawn({ topP: 0.6 })).toEqual([714, 286, 0, 0]);
  expect(drawn({ topP: 0.01 })).toEqual([1000, 0, 0, 0]);
  expect(drawn({ temperature: 0.5 })).toEqual([735, 118, 118, 29]);
  expect(sample(scores, 0.99).logProbability).toBeCloseTo(Math.log(0.1), 6);
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
  expect(() => nextToken(bert, bert.presets["bert-1m"])).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a bert model fills in masked words and cannot write on
      help: generate with a gpt model]
  `);
  expect(() => sample(Float32Array.of(1, Number.NaN), 0)).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the model's scores are not finite numbers
      help: its weights are broken: train or load it again]
  `);
});

test("text comes out in whole characters", async () => {
  const bytes = [...new TextEncoder().encode("a né 🌍!")];
  async function* choices() {
    for (const id of bytes) yield { id, logProbability: 0 };
  }
  const pieces: string[] = [];
  for await (const piece of text(choices(), (ids) => new TextDecoder().decode(Uint8Array.from(ids))))
    pieces.push(piece);
  expect(pieces).toEqual(["a", " ", "n", "é", " ", "🌍", "!"]);
});
