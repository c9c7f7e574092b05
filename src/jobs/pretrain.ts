/** Pre-training: text in, a language model out, every step of it in the run folder. */
import { describe, parameterCount } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { chooseEngine, type Engine, type Session } from "../runtime/index.js";
import type { RunSettings, TrainEvent } from "../train/index.js";
import { openCorpus } from "./corpus.js";
import { examined } from "./examined.js";
import { chosenFamily, type Model, modelOf, vocabSizeOf } from "./language-model.js";
import { jobOf, type LanguageRun, openLanguageRun, requireRoom } from "./language-run.js";
import { optionsOf } from "./options.js";
import { carryOut, type Planned, type RunControl, requireFree, versionsOf } from "./planned.js";
import { type PretrainOptions, pretrainOptions, type ResolvedPretrain } from "./pretrain-options.js";
import { saveModel } from "./save-model.js";
import { stepsOf } from "./steps.js";
import { requireStored } from "./stored.js";

export type { RunControl } from "./planned.js";

/** Pre-train a model; the run folder holds everything it yields. Throws PlinthErrors of every code that data, disk and numbers give. */
export async function* pretrain(given: PretrainOptions, control: RunControl = {}): AsyncGenerator<TrainEvent> {
  const o = optionsOf(pretrainOptions, given);
  requireFree(o);
  await using plan = await planPretrain(o);
  yield* carryOut(plan, o, control);
}

/** Everything about a pre-training run, up to its first step. */
export async function planPretrain(o: ResolvedPretrain): Promise<Planned> {
  const { objective } = chosenFamily(o);
  const tokenizer = o.tokenizer ?? (objective === "masked" ? "wordpiece" : "bpe");
  const sentinels = objective === "seq2seq" ? { sentinels: 100 } : {};
  const corpus = await openCorpus({ ...o, tokenizer, vocabSize: vocabSizeOf(o), ...sentinels });
  const open: Disposable[] = [corpus];
  const close = async () => {
    for (const part of open.reverse()) part[Symbol.dispose]();
  };
  try {
    const run = await openLanguageRun(modelOf(o, corpus.tokenizer.vocabSize), corpus, o);
    open.push(run);
    await requireRoom(run, o);
    const engine = await chooseEngine(o.engine);
    const state = new Map([...initialise(run.weights, o.seed), ...run.learning.state]);
    const steps = await stepsOf(run, o, { engine, state, otherwise: 1000 });
    const learningRate = o.learningRate ?? defaultRate(run.model);
    const save = saver(run, o, engine);
    return {
      settings: { ...settings(o, run, { steps, learningRate }), versions: await versionsOf(engine) },
      job: jobOf(run, o, { engine, state, steps, learningRate, save }),
      intended: intended(run, { steps, learningRate }),
      found: () => examined(o, corpus.tokenizer),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Falls with the width, as wider models need it (Yang et al. 2022, µP): 2e-3 at a width of 192. */
const defaultRate = ({ config }: Model): number => Math.min(3e-3, (2e-3 * 192) / config.hiddenSize);

/** What run.json says; a run is resumed only with the same. Where its folder lies does not matter. */
function settings(
  { resume: _, replace: __, out: ___, ...o }: ResolvedPretrain,
  { model, corpus }: LanguageRun,
  run: { steps: number; learningRate: number },
): RunSettings {
  return {
    config: { kind: "pretrain", ...o, family: model.family.name, model: model.config, ...run },
    seeds: { run: o.seed },
    data: { ...corpus.hashes, tokenizer: corpus.tokenizer.hash },
  };
}

/** The options of a run from what its run.json says, to plan it again. */
export function pretrainOptionsOf(config: Readonly<Record<string, unknown>>, out: string): ResolvedPretrain {
  // the number of steps is known, however it was found
  const { kind: _, epochs: __, minutes: ___, ...given } = config;
  return optionsOf(pretrainOptions, { ...given, out } as PretrainOptions);
}

function intended({ model, corpus, data }: LanguageRun, run: { steps: number; learningRate: number }): string {
  const { documents, tokens } = corpus.train.header;
  const epochs = (run.steps / data.perEpoch).toFixed(1);
  return [
    describe(model.family, model.config),
    `data               ${documents} documents, ${tokens} tokens; ${corpus.validation.header.tokens} tokens to measure on`,
    `run                ${run.steps} steps, ${epochs} epochs, learning rate up to ${run.learningRate}`,
  ].join("\n");
}

const saver =
  (run: LanguageRun, o: ResolvedPretrain, engine: Engine) =>
  async (session: Session, path: string): Promise<void> => {
    const { model, weights, corpus } = run;
    await saveModel(session, path, {
      ...model,
      tokenizer: corpus.tokenizer,
      parameters: weights,
      floats: o.floats,
      begins: model.family.objective === "causal" && o.documents === "isolated",
      card: card(o, model),
    });
    if (o.floats !== "f32") await requireStored(run, { path, session, engine });
  };

const card = (o: ResolvedPretrain, model: Model): string => `# A ${model.family.name} model pre-trained by plinth

${parameterCount(model.family, model.config)} parameters, ${model.family.objective} language modelling on ${o.data.join(", ")}.

\`\`\`
${describe(model.family, model.config)}
\`\`\`
`;
