/** How an adaptation to text classification ends: scores on the test examples, the adapter, the merged model and its card. */
import { dirname, join } from "node:path";
import { merge, methods, requireSame, saveAdapter } from "../adapt/index.js";
import type { Batches } from "../data/index.js";
import { type Nd, nameOf, Scope, size } from "../ir/index.js";
import { makeFolder, replaceFile } from "../models/index.js";
import type { Session } from "../runtime/index.js";
import { headNames, textClassification } from "../tasks/index.js";
import type { ResolvedAdapt } from "./adapt-options.js";
import { type Classifying, held } from "./classify.js";
import { only, scoresOf } from "./fit.js";
import { saveModel } from "./save-model.js";

/** What an adaptation ends with: results.json in its folder. */
export interface AdaptResult {
  readonly test: Readonly<Record<string, number>>;
  readonly examples: Readonly<Record<"train" | "validation" | "test", number>>;
  readonly labels: readonly string[];
  readonly trainableParameters: number;
}

export interface Trained {
  readonly session: Session;
  /** Where the model is written; results and the adapter stand beside it. */
  readonly path: string;
  readonly test: Batches;
  /** Examples that were learnt from. */
  readonly examples: number;
}

/** Score, keep the adapter, merge, and write the model. Throws `parity` where the merged model answers differently. */
export async function finishAdapt(o: ResolvedAdapt, c: Classifying, trained: Trained): Promise<void> {
  const { session, path, test, examples } = trained;
  const scores = await scoresOf(session, c.approach.scores, test);
  const { trainable } = c.approach.training(await test.at(0));
  const { labels, validation } = c.labelled;
  const result: AdaptResult = {
    test: scores,
    examples: { train: examples, validation: validation.length, test: c.labelled.test.length },
    labels,
    trainableParameters: trainable.reduce((sum, t) => sum + size(t.shape), 0),
  };
  if (methods[o.method].apart) {
    const tensors = new Map<string, Nd>();
    for (const t of trainable) tensors.set(nameOf(t), await session.read(nameOf(t)));
    const { method, rank, alpha } = o;
    const folder = join(dirname(path), "adapter");
    await makeFolder(folder);
    const options = { rank, ...(alpha !== undefined && { alpha }), labels };
    await saveAdapter(join(folder, "adapter.safetensors"), { base: c.baseHash, method, options, tensors });
  }
  if (o.method === "lora") await mergeInto(session, o, c);
  await saveModel(session, path, {
    ...c.base,
    parameters: c.approach.weights,
    labels,
    plinth: {
      task: "text-classification",
      pooling: o.pooling ?? c.base.family.poolings[0],
      contextLength: o.contextLength ?? c.base.config.contextLength,
    },
    card: card(o, c, result),
  });
  await replaceFile(join(dirname(path), "results.json"), `${JSON.stringify(result, null, 2)}\n`);
}

/** Write the merged weights into the session, and hold the plain network to the adapted one on held-out examples. */
async function mergeInto(session: Session, o: ResolvedAdapt, c: Classifying): Promise<void> {
  const few = held(c.labelled.validation, o.batchSize);
  const batch = await (await c.approach.batches(few, { seed: 0, shuffle: false, session })).at(0);
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
  const options = { head: headNames(c.base.family, c.base.config, o), rank: o.rank, alpha: o.alpha };
  const adaptation = methods[o.method].adaptation([outputs.logits], options);
  for (const [name, value] of merge(c.approach.weights, adaptation, state)) await session.write(name, value);
  const plain = { outputs: { logits: outputs.logits }, next: {} };
  const after = await session.run(plain, only(batch.feeds, plain));
  requireSame(before["logits"]!, after["logits"]!);
}

const card = (
  o: ResolvedAdapt,
  c: Classifying,
  { test, examples }: AdaptResult,
): string => `# A text classifier adapted by plinth

${c.labelled.labels.length} labels, adapted from \`${o.base}\` on ${examples.train} examples. Method ${o.method}: ${methods[o.method].summary} (${methods[o.method].paper}).

| score | on ${examples.test} test examples |
| --- | --- |
${Object.entries(test)
  .map(([name, value]) => `| ${name} | ${value.toFixed(4)} |`)
  .join("\n")}
`;
