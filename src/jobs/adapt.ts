/** Adapting a pre-trained model to classify texts: every step, score and weight of it in the run folder. */
import { join } from "node:path";
import { merge, methods, requireSame, saveAdapter } from "../adapt/index.js";
import type { Batches } from "../data/index.js";
import { fail, type Nd, nameOf, Scope } from "../ir/index.js";
import { replaceFile } from "../models/index.js";
import type { Session } from "../runtime/index.js";
import { headNames, textClassification } from "../tasks/index.js";
import { openRun, type RunSettings, type TrainEvent } from "../train/index.js";
import { type AdaptOptions, adaptOptions, type ResolvedAdapt } from "./adapt-options.js";
import { type Classifying, classifying, held, rateFor, stepsFor, subset } from "./classify.js";
import { fit, only, scoresOf } from "./fit.js";
import type { RunControl } from "./pretrain.js";
import { saveModel } from "./save-model.js";

/** What an adaptation ends with: results.json in its folder. */
export interface AdaptResult {
  readonly test: Readonly<Record<string, number>>;
  readonly examples: Readonly<Record<"train" | "validation" | "test", number>>;
  readonly labels: readonly string[];
  readonly trainableParameters: number;
}

/** Adapt a model. The folder holds the events, `model/` with the head, `adapter/` where the method keeps one, results.json. */
export async function* adapt(
  given: AdaptOptions,
  { signal, note = () => {} }: RunControl = {},
): AsyncGenerator<TrainEvent> {
  const o = adaptOptions.parse(given);
  await using c = await classifying(o);
  const train = subset(c.labelled.train, o.examples, o.seed);
  const steps = stepsFor(o, train.length);
  const learningRate = rateFor(o);
  note(intended(o, c, { examples: train.length, steps, learningRate }));
  const mode = o.resume ? "resume" : o.replace ? "replace" : "new";
  await using folder = await openRun(o.out, settings(o, c, { steps, learningRate }), { mode });
  const { session } = c.shared;
  const ordered = { seed: 0, shuffle: false, session };
  const validation = held(c.labelled.validation, o.evaluateExamples);
  const test = await c.approach.batches(c.labelled.test, ordered);
  yield* fit({
    ...c,
    options: o,
    engine: c.shared.engine,
    state: c.state("adapted", o.seed),
    batches: await c.approach.batches(train, { seed: o.seed, shuffle: true, session }),
    held: await c.approach.batches(validation, ordered),
    learningRate,
    steps,
    seed: o.seed,
    folder,
    signal,
    save: (trained, path) => finish(o, c, { session: trained, path, test, examples: train.length }),
  });
}

interface Finished {
  readonly session: Session;
  /** Of the model; results and the adapter stand beside it. */
  readonly path: string;
  readonly test: Batches;
  readonly examples: number;
}

/** Score on the test examples, keep the adapter, merge, and write the model. */
async function finish(o: ResolvedAdapt, c: Classifying, { session, path, test, examples }: Finished): Promise<void> {
  const scores = await scoresOf(session, c.approach.scores, test, c.classes);
  const { trainable } = c.approach.training(await test.at(0));
  const result: AdaptResult = {
    test: scores,
    examples: { train: examples, validation: c.labelled.validation.length, test: c.labelled.test.length },
    labels: c.labelled.labels,
    trainableParameters: trainable.reduce((sum, t) => sum + t.shape.reduce((a, b) => a * b, 1), 0),
  };
  if (methods[o.method].apart) {
    const tensors = new Map<string, Nd>();
    for (const t of trainable) tensors.set(nameOf(t), await session.read(nameOf(t)));
    const { method, rank, alpha } = o;
    const adapter = { base: c.baseHash, method, options: { rank, alpha, labels: c.labelled.labels }, tensors };
    await saveAdapter(join(path, "..", "adapter", "adapter.safetensors"), adapter);
  }
  if (o.method === "lora") await merged(o, c, session);
  await saveModel(session, path, {
    ...c.base,
    parameters: c.approach.weights,
    labels: c.labelled.labels,
    extra: { plinth: { task: "text-classification", pooling: o.pooling ?? c.base.family.poolings[0] } },
    card: card(o, c, result),
  });
  await replaceFile(join(path, "..", "results.json"), `${JSON.stringify(result, null, 2)}\n`);
}

/** Write the merged weights into the session, and hold the plain network to the adapted one on held-out examples. */
async function merged(o: ResolvedAdapt, c: Classifying, session: Session): Promise<void> {
  const batches = await c.approach.batches(held(c.labelled.validation, o.batchSize), {
    seed: 0,
    shuffle: false,
    session,
  });
  const batch = await batches.at(0);
  const adapted = c.approach.scores(batch);
  const before = await session.run(adapted, only(batch.feeds, adapted));
  const state = new Map<string, Nd>();
  for (const t of [...c.approach.weights, ...c.approach.leaves]) state.set(nameOf(t), await session.read(nameOf(t)));
  const [rows, length] = batch.feeds["ids"]!.shape as [number, number];
  const { outputs } = textClassification(c.base.family, c.base.config, {
    p: new Scope(),
    batch: rows,
    length,
    classes: c.classes,
    ...(o.pooling && { pooling: o.pooling }),
  });
  const options = { head: headNames, rank: o.rank, alpha: o.alpha };
  const adaptation = methods[o.method].adaptation([outputs.logits], options);
  for (const [name, value] of merge(c.approach.weights, adaptation, state)) await session.write(name, value);
  const plain = { outputs: { logits: outputs.logits }, next: {} };
  const after = await session.run(plain, only(batch.feeds, plain));
  requireSame(before["logits"]!, after["logits"]!);
}

/** What run.json says; a run is resumed only with the same. */
export function settings(
  { resume: _, replace: __, ...o }: ResolvedAdapt,
  c: Classifying,
  run: { steps: number; learningRate: number },
): RunSettings {
  if (!c.labelled.labels.length) throw fail("labels", "there are no labels");
  return {
    config: {
      kind: "adapt",
      task: "text-classification",
      ...o,
      ...run,
      family: c.base.family.name,
      labels: c.labelled.labels,
    },
    seeds: { run: o.seed },
    data: { ...c.labelled.hashes, base: c.baseHash },
  };
}

function intended(
  o: ResolvedAdapt,
  c: Classifying,
  run: { examples: number; steps: number; learningRate: number },
): string {
  const { validation, test, labels } = c.labelled;
  const reason = o.learningRate === undefined ? ` (${methods[o.method].learningRate.reason})` : "";
  return [
    `base               ${c.base.family.name}, ${o.base}`,
    `examples           ${run.examples} to learn from, ${validation.length} to choose by, ${test.length} to test; ${labels.length} labels`,
    `method             ${o.method}: ${methods[o.method].summary}`,
    `run                ${run.steps} steps, learning rate up to ${run.learningRate}${reason}`,
  ].join("\n");
}

const card = (
  o: ResolvedAdapt,
  c: Classifying,
  { test, examples }: AdaptResult,
): string => `# A text classifier adapted by plinth

${c.labelled.labels.length} labels, adapted from \`${o.base}\` by ${methods[o.method].summary} (${methods[o.method].paper}) on ${examples.train} examples.

| score on ${examples.test} test examples | |
| --- | --- |
${Object.entries(test)
  .map(([name, value]) => `| ${name} | ${value.toFixed(4)} |`)
  .join("\n")}
`;
