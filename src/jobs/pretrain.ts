/** Pre-training: text in, a language model out, every step of it in the run folder. */
import type { Batches } from "../data/index.js";
import { fail, inputs, nameOf, nd, params } from "../ir/index.js";
import { describe, parameterCount } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { type Training, training } from "../optim/index.js";
import { flops } from "../passes/index.js";
import { chooseEngine, type Engine, type Session, type State } from "../runtime/index.js";
import { generate, nextToken, text } from "../serve/index.js";
import { openRun, type RunSettings, readRun, type TrainEvent, train } from "../train/index.js";
import { type Corpus, openCorpus } from "./corpus.js";
import { batchesOf, type Model, modelOf, objectiveOf, scorer } from "./language-model.js";
import { ratesOf, ruleOf } from "./optimizing.js";
import { type PretrainOptions, pretrainOptions, type ResolvedPretrain } from "./pretrain-options.js";
import { saveModel } from "./save-model.js";

export interface RunControl {
  /** Aborting it saves a checkpoint and ends the run. */
  readonly signal?: AbortSignal;
  /** Told what is decided before the first step: the model, its size, the data. */
  readonly note?: (text: string) => void;
}

/** Pre-train a model; the run folder holds everything it yields. Throws PlinthErrors of every code that data, disk and numbers give. */
export async function* pretrain(
  given: PretrainOptions,
  { signal, note = () => {} }: RunControl = {},
): AsyncGenerator<TrainEvent> {
  const o = pretrainOptions.parse(given);
  using corpus = await openCorpus({ ...o, tokenizer: o.tokenizer ?? (o.family === "bert" ? "wordpiece" : "bpe") });
  const model = modelOf(o, corpus.tokenizer.vocabSize);
  const data = await batchesOf(model, corpus.train, corpus.tokenizer, o, true);
  const held = await batchesOf(model, corpus.validation, corpus.tokenizer, o, false);
  try {
    const engine = await chooseEngine(o.engine);
    const lm = await objectiveOf(model, data, dropsOut(model));
    const learning = training(lm.objective, ruleOf(o), { clip: o.clip, decays: model.family.decays });
    const weights = params([lm.objective.sum]);
    const state = new Map([...initialise(weights, o.seed), ...learning.state]);
    const steps = await stepsOf(o, { engine, learning, state, data });
    const learningRate = o.learningRate ?? defaultRate(model);
    note(intended(model, corpus, { steps, learningRate, perEpoch: data.perEpoch }));
    await using folder = await openRun(o.out, settings(o, model, corpus, { steps, learningRate }), {
      mode: o.resume ? "resume" : o.replace ? "replace" : "new",
    });
    const evaluated = await objectiveOf(model, held, false);
    const bytesPerToken = model.family.objective === "causal" ? bytesOf(corpus) : undefined;
    yield* train({
      engine,
      ...(o.threads !== undefined && { threads: o.threads }),
      training: learning,
      state,
      batches: data,
      steps,
      schedule: ratesOf(o, learningRate, steps),
      accumulation: o.accumulation,
      seed: o.seed,
      evaluate: scorer(evaluated, held, { most: o.evaluateBatches, bytesPerToken }),
      ...(model.family.objective === "causal" && { sample: sampler(model, corpus, o) }),
      every: {
        evaluate: o.evaluateEvery ?? Math.ceil(steps / 10),
        sample: o.sampleEvery ?? Math.ceil(steps / 5),
        save: o.saveEvery ?? Math.ceil(steps / 10),
      },
      best: { metric: "loss", goal: "min" },
      ...(o.patience !== undefined && { early: { metric: "loss", goal: "min", patience: o.patience } }),
      flopsPerStep: flops(learning.step) * o.accumulation,
      folder,
      ...(signal && { signal }),
      save: (session, path) =>
        saveModel(session, path, {
          ...model,
          tokenizer: corpus.tokenizer,
          parameters: weights,
          floats: o.floats,
          card: card(o, model),
        }),
    });
  } finally {
    data.close();
    held.close();
  }
}

const dropsOut = ({ config }: Model): boolean =>
  Number(config["dropout"] ?? 0) > 0 || Number(config["attentionDropout"] ?? 0) > 0;
const bytesOf = ({ validation: { header } }: Corpus): number => header.bytes / header.tokens;

/** Falls with the width, as wider models need it (Yang et al. 2022, µP): 2e-3 at a width of 192. */
const defaultRate = ({ config }: Model): number => Math.min(3e-3, (2e-3 * 192) / config.hiddenSize);

interface Timed {
  readonly engine: Engine;
  readonly learning: Training;
  readonly state: State;
  readonly data: Batches;
}

/** How many steps the run has: as told, or passes over the data, or as many as fit the minutes; of a resumed run, as before. */
async function stepsOf(o: ResolvedPretrain, timed: Timed): Promise<number> {
  if (o.resume) {
    const known = await readRun(o.out).catch(() => undefined);
    const steps = known?.config["steps"];
    if (typeof steps === "number") return steps;
  }
  const given = [o.steps, o.epochs, o.minutes].filter((x) => x !== undefined);
  if (given.length > 1)
    throw fail("config", "steps, epochs and minutes are three ways to say one thing", "give one of them");
  if (o.epochs !== undefined) return Math.max(1, Math.ceil((o.epochs * timed.data.perEpoch) / o.accumulation));
  if (o.minutes === undefined) return o.steps ?? 1000;
  const seconds = (await secondsPerStep(timed, o.threads)) * o.accumulation;
  return Math.max(10, Math.floor((o.minutes * 60) / seconds));
}

/** Seconds of one batch, forward, backward and update: the median of a few, on weights that are thrown away. */
async function secondsPerStep({ engine, learning, state, data }: Timed, threads?: number): Promise<number> {
  await using session = await engine.open(state, threads === undefined ? {} : { threads });
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const { feeds } = await data.at(i);
    const from = performance.now();
    await session.run(learning.step, { ...feeds, ...clock(learning) });
    times.push((performance.now() - from) / 1000);
  }
  return times.slice(2).sort((a, b) => a - b)[2]!;
}
const clock = ({ step }: Training) => {
  const all = { learningRate: nd("f32", [], 1e-9), step: nd("f32", [], 1), seed: nd("u32", [], 0) };
  const reads = new Set(inputs(step).map(nameOf));
  return Object.fromEntries(Object.entries(all).filter(([name]) => reads.has(name)));
};

/** What run.json says; a run is resumed only with the same. */
function settings(
  { resume: _, replace: __, engine, ...o }: ResolvedPretrain,
  model: Model,
  corpus: Corpus,
  { steps, learningRate }: { steps: number; learningRate: number },
): RunSettings {
  return {
    config: { kind: "pretrain", ...o, engine, family: model.family.name, model: model.config, steps, learningRate },
    seeds: { run: o.seed },
    data: { ...corpus.hashes, tokenizer: corpus.tokenizer.hash },
  };
}

function intended(
  model: Model,
  corpus: Corpus,
  run: { steps: number; learningRate: number; perEpoch: number },
): string {
  const { documents, tokens } = corpus.train.header;
  return [
    describe(model.family, model.config),
    `data               ${documents} documents, ${tokens} tokens; ${corpus.validation.header.tokens} tokens to measure on`,
    `run                ${run.steps} steps, ${(run.steps / run.perEpoch).toFixed(1)} epochs, learning rate up to ${run.learningRate}`,
  ].join("\n");
}

/** Text that the model goes on from the prompt: the same random numbers at each step, so that samples compare. */
function sampler(model: Model, { tokenizer }: Corpus, o: ResolvedPretrain): (session: Session) => Promise<string> {
  const next = nextToken(model.family, model.config);
  const end = tokenizer.special.eos;
  return async (session) => {
    const prompt = [...(end === undefined ? [] : [end]), ...(await tokenizer.encode(o.prompt))];
    const stop = end === undefined ? [] : [end];
    const options = {
      prompt: prompt.length ? prompt : [0],
      tokens: 40,
      temperature: 0.8,
      topK: 40,
      seed: o.seed,
      stop,
    };
    let written = o.prompt;
    for await (const piece of text(generate(session, next, options), (ids) => tokenizer.decode(ids))) written += piece;
    return written.trim();
  };
}

const card = (o: ResolvedPretrain, model: Model): string => `# A ${model.family.name} model pre-trained by plinth

${parameterCount(model.family, model.config)} parameters, ${model.family.objective} language modelling on ${o.data.join(", ")}.

\`\`\`
${describe(model.family, model.config)}
\`\`\`
`;
