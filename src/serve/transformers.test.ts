/** What transformers does to scores, and how it writes, from fixtures/transformers.json: written by fixtures/write.py. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { present } from "../../test/present.js";
import { nameOf } from "../ir/index.js";
import { familyOf, loadWeights, openModelFolder, parametersOf } from "../models/index.js";
import { type BeamOptions, beamSearch } from "./beams.js";
import { decoderOf } from "./decoder.js";
import { generate } from "./generate.js";
import { checkPenalties, type PenaltyOptions, penalised } from "./penalties.js";
import { type SampleOptions, sample } from "./sample.js";

interface Beams {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly prompt: number[];
  readonly texts: number[][];
  readonly scores: number[];
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const fixture = JSON.parse(readFileSync(path("fixtures/transformers.json"), "utf8")) as {
  scores: number[];
  prompt: number[];
  written: number[];
  stop: number[];
  penalised: Record<string, { options: PenaltyOptions; scores: (number | null)[] }>;
  kept: Record<string, { options: SampleOptions; probabilities: number[] }>;
  beams: Beams[];
};
const scores = Float32Array.from(fixture.scores);

test.each(Object.entries(fixture.penalised))(
  "penalties give the scores of transformers: %s",
  (_, { options, scores: expected }) => {
    const found = penalised(scores, fixture, { ...options, stop: fixture.stop });
    // written with seven digits
    for (const [id, score] of expected.entries()) expect(found[id]).toBeCloseTo(score ?? -Infinity, 5);
  },
);

test.each(Object.entries(fixture.kept))(
  "tokens are drawn as often as in transformers: %s",
  (_, { options, probabilities }) => {
    const draws = 20_000;
    const counts = new Float64Array(scores.length);
    for (let i = 0; i < draws; i++) counts[sample(scores, (i + 0.5) / draws, options)]!++;
    // evenly spaced draws: each count is within one of its share
    for (const [id, p] of probabilities.entries()) expect(Math.abs(counts[id]! / draws - p)).toBeLessThan(1.5 / draws);
    expect(probabilities.map((p) => p > 0)).toEqual(Array.from(counts, (count) => count > 0));
  },
);

const optionsOf = (o: Beams["options"]): BeamOptions => ({
  beams: o["num_beams"] as number,
  tokens: o["max_new_tokens"] as number,
  lengthPenalty: o["length_penalty"] as number | undefined,
  earlyStopping: o["early_stopping"] as BeamOptions["earlyStopping"],
  stop: [o["eos_token_id"] ?? []].flat() as number[],
  repetitionPenalty: o["repetition_penalty"] as number | undefined,
  noRepeatNgram: o["no_repeat_ngram_size"] as number | undefined,
  minTokens: o["min_new_tokens"] as number | undefined,
});

test.each(present)("beam search and greedy writing give the texts of transformers on %s", async (_, engine) => {
  await using folder = await openModelFolder(path("../../test/fixtures/gpt2-folder"));
  const family = familyOf(folder.config);
  const config = family.fromPublic(folder.config);
  const types = new Map(parametersOf(family, config).map((t) => [nameOf(t), t.type]));
  const weights = await loadWeights(folder, types, { rename: (name) => family.fromPublicName(name, config) });
  await using session = await engine.open(weights);
  const decoder = decoderOf(family, config);
  for (const { name, options, prompt, texts, scores } of fixture.beams) {
    const o = { ...optionsOf(options), prompt };
    if (o.beams === 1) {
      const ids: number[] = [];
      for await (const { id } of generate(session, decoder, { ...o, temperature: 0 })) ids.push(id);
      expect(ids, name).toEqual(texts[0]);
      continue;
    }
    const beams = await beamSearch(session, decoder, o);
    expect(
      beams.map(({ ids }) => ids),
      `${name} ${prompt}`,
    ).toEqual(texts);
    // sums of twelve f32 log probabilities
    for (const [i, { score }] of beams.entries())
      expect(Math.abs(score - scores[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(score)));
  }
});

test("one beam is greedy, and a beam ends where it is told to", async () => {
  await using folder = await openModelFolder(path("../../test/fixtures/gpt2-folder"));
  const family = familyOf(folder.config);
  const config = family.fromPublic(folder.config);
  const types = new Map(parametersOf(family, config).map((t) => [nameOf(t), t.type]));
  const weights = await loadWeights(folder, types, { rename: (name) => family.fromPublicName(name, config) });
  await using session = await present[0]![1].open(weights);
  const decoder = decoderOf(family, config);
  const o = { prompt: [5, 60, 41], tokens: 8 };
  const greedy: number[] = [];
  for await (const { id } of generate(session, decoder, { ...o, temperature: 0 })) greedy.push(id);
  const [beam] = await beamSearch(session, decoder, { ...o, beams: 1 });
  expect(beam).toMatchObject({ ids: greedy, stopped: false });
  const ends = (ids: readonly number[]) => ids.length === 3;
  const short = await beamSearch(session, decoder, { ...o, beams: 2, ends });
  expect(short.map(({ ids, stopped }) => [ids.length, stopped])).toEqual([
    [3, true],
    [3, true],
  ]);
  const refused = (more: Partial<BeamOptions>) => beamSearch(session, decoder, { ...o, beams: 2, ...more });
  await expect(refused({ beams: 0 })).rejects.toThrow("beams is 0\n  help: a whole number from 1");
  await expect(refused({ lengthPenalty: Number.NaN })).rejects.toThrow(
    "lengthPenalty is NaN\n  help: above 0 favours long texts, below 0 short ones",
  );
});

test("presence is charged once and frequency each time, the prompt not counted", () => {
  const found = penalised(
    Float32Array.of(1, 1, 1, 1),
    { prompt: [0, 0], written: [1, 2, 2, 2] },
    { presencePenalty: 0.5, frequencyPenalty: 0.25 },
  );
  expect([...found]).toEqual([1, 0.25, -0.25, 1]);
});

test("a token that is forbidden is not drawn, and where all are it is said", () => {
  const bias = Object.fromEntries(Array.from(scores.keys(), (id) => [id, -Infinity]));
  const { [4]: _, ...allBut4 } = bias;
  const draft = { prompt: [1], written: [] };
  expect(sample(penalised(scores, draft, { logitBias: allBut4 }), 0.999)).toBe(4);
  expect(() => sample(penalised(scores, draft, { logitBias: bias }), 0.5)).toThrow(
    "nothing may follow: every token is forbidden\n  help: forbid or penalise less",
  );
});

test("penalties out of range are refused", () => {
  const refusal = (o: PenaltyOptions) => {
    try {
      checkPenalties(o);
    } catch (error) {
      return (error as Error).message;
    }
    return "no error";
  };
  expect(refusal({ repetitionPenalty: 1.2, presencePenalty: -1, noRepeatNgram: 3, minTokens: 0 })).toBe("no error");
  expect(refusal({ repetitionPenalty: 0 })).toBe(
    "repetitionPenalty is 0\n  help: above 1 repeats less, 1 is the model's own way",
  );
  expect(refusal({ frequencyPenalty: Number.NaN })).toBe(
    "frequencyPenalty is NaN\n  help: above 0 repeats less, 0 is off",
  );
  expect(refusal({ noRepeatNgram: 0 })).toMatch(/^noRepeatNgram is 0\n/);
  expect(refusal({ minTokens: 1.5 })).toBe("minTokens is 1.5\n  help: a whole number from 0");
  expect(refusal({ logitBias: { 3: Number.NaN } })).toBe(
    "the bias of token 3 is NaN\n  help: numbers by token id, -Infinity to forbid one",
  );
});
