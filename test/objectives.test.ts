/** Every objective learns something that only its own signal can teach, in seconds, and is right on what it never saw. */
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type Batches,
  contrastBatches,
  type Document,
  type Pair,
  random,
  sequenceBatches,
  spanBatches,
  trainTokenizer,
  writeShards,
} from "../src/data/index.js";
import { inputs, nameOf, nd, type Program, params, Scope, type Tensor } from "../src/ir/index.js";
import { families } from "../src/models/index.js";
import { initialise } from "../src/nn/index.js";
import { adamw, type Objective, training } from "../src/optim/index.js";
import { chooseEngine, type Session } from "../src/runtime/index.js";
import { languageModelling, sentencePairs } from "../src/tasks/index.js";
import { temporary } from "./temporary.js";

const { t5, bert } = families;
const home = temporary("plinth-objectives-");

interface Learning {
  readonly objective: Objective;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly batches: Batches;
  readonly held: Batches;
  readonly steps: number;
  readonly learningRate: number;
  readonly decays: (name: string) => boolean;
}

/** Scores of held-out batches before and after training. */
async function learn({ objective, outputs, batches, held, steps, learningRate, decays }: Learning) {
  const { step, state } = training(objective, adamw(), { clip: 1, decays });
  const measured: Program = { outputs: { ...objective, correct: outputs["correct"]! }, next: {} };
  const engine = await chooseEngine("auto");
  await using session = await engine.open(new Map([...initialise(params([objective.sum]), 1), ...state]));
  const before = await scores(session, measured, held);
  for (let i = 1; i <= steps; i++) {
    const clock = { learningRate: nd("f32", [], learningRate * Math.min(1, i / 20)), step: nd("f32", [], i) };
    await session.run(step, { ...(await batches.at(i - 1)).feeds, ...clock });
  }
  return { before, after: await scores(session, measured, held) };
}

async function scores(session: Session, program: Program, batches: Batches) {
  let [sum, count, correct] = [0, 0, 0];
  const names = inputs(program).map(nameOf);
  for (let i = 0; i < batches.perEpoch; i++) {
    const { feeds } = await batches.at(i);
    const out = await session.run(program, Object.fromEntries(names.map((name) => [name, feeds[name]!])));
    sum += Number(out["sum"]!.data[0]);
    count += Number(out["count"]!.data[0]);
    correct += Number(out["correct"]!.data[0]);
  }
  return { loss: sum / count, accuracy: correct / count };
}

const tiny = { vocabSize: 16, contextLength: 16, layers: 2, heads: 4, hiddenSize: 48 };

test("an encoder–decoder learns to write texts backwards, and does so with texts it never saw", async () => {
  const config = t5.config.parse(tiny);
  const pair = (i: number): Pair => {
    const rng = random(3, i);
    const letters = Array.from({ length: 2 + rng.below(5) }, () => 2 + rng.below(14));
    return { id: `${i}`, first: Int32Array.from([...letters, 1]), second: Int32Array.from([...letters.reverse(), 1]) };
  };
  const pairs = Array.from({ length: 4200 }, (_, i) => pair(i));
  const o = { batchSize: 32, seed: 1, buckets: 1, contextLength: 8 };
  const batches = sequenceBatches(pairs.slice(200), o);
  const held = sequenceBatches(pairs.slice(0, 200), { ...o, shuffle: false });
  const lm = languageModelling(t5, config, { p: new Scope(), batch: 32, length: 8, targetLength: 8 });
  const { before, after } = await learn({ ...lm, batches, held, steps: 500, learningRate: 4e-3, decays: t5.decays });
  expect(before.loss).toBeCloseTo(Math.log(16), 0);
  expect(after.accuracy).toBeGreaterThan(0.9);
}, 60_000);

test("span corruption teaches what was cut out of a text, from both sides of it", async () => {
  // a text counts on in steps of its own: what is missing follows from what is left
  const word = (n: number) => `w${n % 20}`;
  const text = (i: number) => {
    const rng = random(4, i);
    const [from, by] = [rng.below(20), 1 + rng.below(2)];
    return Array.from({ length: 14 }, (_, k) => word(from + by * k)).join(" ");
  };
  const texts = Array.from({ length: 900 }, (_, i) => text(i));
  async function* documents(part: readonly string[]): AsyncGenerator<Document> {
    for (const [i, one] of part.entries()) yield { at: `${i}`, text: one };
  }
  const tokenizer = await trainTokenizer(texts, { kind: "bpe", vocabSize: 330, sentinels: 8 });
  const o = { tokenizer, contextLength: 32, batchSize: 16, seed: 2 };
  const shards = (name: string, part: readonly string[]) =>
    writeShards(documents(part), { tokenizer, folder: join(home(), name) });
  using data = closing(await spanBatches(await shards("train", texts.slice(100)), o));
  using apart = closing(await spanBatches(await shards("held", texts.slice(0, 100)), { ...o, shuffle: false }));
  const { feeds } = await data.batches.at(0);
  const [length, targetLength] = [feeds["ids"]!.shape[1]!, feeds["decoderIds"]!.shape[1]!];
  const config = t5.config.parse({ ...tiny, vocabSize: tokenizer.vocabSize, contextLength: 32, activation: "geglu" });
  const lm = languageModelling(t5, config, { p: new Scope(), batch: 16, length, targetLength });
  const how = { batches: data.batches, held: apart.batches, steps: 220, learningRate: 4e-3, decays: t5.decays };
  const { before, after } = await learn({ ...lm, ...how });
  expect(before.loss).toBeGreaterThan(5);
  // the order of the sentinels is learnt soon; the words, one in twenty, only from the source
  expect(after.loss).toBeLessThan(1.2);
}, 60_000);

const closing = <B extends Batches & { close(): void }>(batches: B) => ({
  batches,
  [Symbol.dispose]: () => batches.close(),
});

test("contrast brings texts together that share no word: the right one of 16 is nearest for pairs never seen", async () => {
  const config = bert.config.parse({ ...tiny, vocabSize: 200 });
  // 24 subjects; each has four words in one language and four in another
  const subjects = 24;
  const say = (language: number, subject: number, rng: ReturnType<typeof random>) =>
    Int32Array.from({ length: 3 + rng.below(3) }, () => 4 + language * 96 + subject * 4 + rng.below(4));
  const pair = (i: number): Pair => {
    const rng = random(5, i);
    const subject = i % subjects;
    return { id: `${i}`, first: say(0, subject, rng), second: say(1, subject, rng) };
  };
  const o = { batchSize: 16, seed: 1, buckets: 1, lengths: [8] };
  // in the data's order the 16 pairs of a batch are of 16 subjects
  const held = contrastBatches(
    Array.from({ length: 96 }, (_, i) => pair(9000 + i)),
    { ...o, shuffle: false },
  );
  const batches = contrastBatches(
    Array.from({ length: 960 }, (_, i) => pair(i)),
    { ...o, shuffle: false },
  );
  const task = sentencePairs(bert, config, { p: new Scope(), batch: 16, length: 8 });
  const { before, after } = await learn({
    ...task,
    batches,
    held,
    steps: 150,
    learningRate: 3e-3,
    decays: bert.decays,
  });
  expect(before.accuracy).toBeLessThan(0.3);
  expect(after.accuracy).toBeGreaterThan(0.9);
}, 60_000);
