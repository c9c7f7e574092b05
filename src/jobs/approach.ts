/** How a method learns to classify: its programs, its batches, its first weights. */
import { adapt, frontier, type MethodName, methods } from "../adapt/index.js";
import { type Batch, type Batches, classificationBatches, type Example, permutation } from "../data/index.js";
import { fail, type Nd, nd, type Program, params, Scope, type Tensor } from "../ir/index.js";
import type { Pooling } from "../models/index.js";
import { type Rule, type Training, training } from "../optim/index.js";
import { flops, splitLowRank } from "../passes/index.js";
import type { Session } from "../runtime/index.js";
import { headNames, type TextClassification, textClassification } from "../tasks/index.js";
import type { Model } from "./language-model.js";

export interface ApproachOptions {
  readonly method: MethodName;
  readonly classes: number;
  readonly batchSize: number;
  readonly rule: Rule;
  readonly clip: number;
  readonly pooling?: Pooling | undefined;
  readonly rank: number;
  readonly alpha?: number | undefined;
}

/** The parts of a classifier's training that depend on the method and not on the data. */
export interface Approach {
  /** Parameters of the network as it is saved: body and head. */
  readonly weights: readonly Tensor[];
  /** Every leaf of the adapted network, with what the method adds. */
  readonly leaves: readonly Tensor[];
  /** What learns and the programs for batches of one shape. */
  training(batch: Batch): Training;
  /** Outputs `logits` and `losses` of such a batch. */
  scores(batch: Batch): Program;
  /** Batches of examples; a frozen body's features are computed here, once, and `spent` is told what they cost. */
  batches(
    examples: readonly Example[],
    o: { seed: number; shuffle: boolean; session: Session; spent?: (flops: number) => void },
  ): Promise<Batches>;
}

interface Graph extends TextClassification {
  readonly training: Training;
  readonly program: Program;
  readonly features: Program;
}

/** Programs for each row length, built when first asked for. */
export function approach(model: Model, o: ApproachOptions): Approach {
  const graphs = new Map<number, Graph>();
  const graph = (length: number): Graph => {
    const known = graphs.get(length) ?? build(model, o, length);
    graphs.set(length, known);
    return known;
  };
  const frozen = o.method === "head";
  const any = graph(8);
  // features have one shape whatever the length of the text
  const of = (batch: Batch) => (frozen ? any : graph(batch.feeds["ids"]!.shape[1]!));
  const plain = textClassification(model.family, model.config, { p: new Scope(), ...sizes(o), length: 8 });
  return {
    weights: params([plain.objective.sum]),
    leaves: params([any.objective.sum, ...Object.values(any.features.outputs)]),
    training: (batch) => of(batch).training,
    scores: (batch) => of(batch).program,
    async batches(examples, { seed, shuffle, session, spent = () => {} }) {
      const common = { batchSize: o.batchSize, contextLength: model.config.contextLength };
      if (!frozen) return classificationBatches(examples, { ...common, seed, shuffle });
      const texts = classificationBatches(examples, { ...common, seed: 0, shuffle: false });
      return featureBatches(
        await featuresOf(texts, {
          count: examples.length,
          session,
          spent,
          program: (length) => graph(length).features,
        }),
        {
          ...common,
          ...(shuffle && { seed }),
        },
      );
    },
  };
}

const sizes = (o: ApproachOptions) => ({
  batch: o.batchSize,
  classes: o.classes,
  ...(o.pooling && { pooling: o.pooling }),
});

function build({ family, config }: Model, o: ApproachOptions, length: number): Graph {
  const task = textClassification(family, config, { p: new Scope(), ...sizes(o), length });
  const { sum, count } = task.objective;
  const head = headNames(family, config, o);
  const adaptation = methods[o.method].adaptation([sum], { head, rank: o.rank, alpha: o.alpha });
  const adapted = splitLowRank(adapt([sum, count, ...Object.values(task.outputs)], adaptation));
  const cut = o.method === "head" ? frontier(adapted) : { roots: adapted, features: { outputs: {}, next: {} } };
  const [total, examples, ...outputs] = cut.roots as [Tensor, Tensor, ...Tensor[]];
  const objective = { sum: total, count: examples };
  const named = Object.fromEntries(Object.keys(task.outputs).map((name, i) => [name, outputs[i]!]));
  const { logits, losses } = named as TextClassification["outputs"];
  return {
    objective,
    outputs: named as TextClassification["outputs"],
    training: training(objective, o.rule, { clip: o.clip, decays: family.decays }),
    program: { outputs: { logits, losses }, next: {} },
    features: cut.features,
  };
}

interface Featured {
  readonly values: readonly Float32Array[];
  readonly labels: readonly number[];
  readonly ids: readonly string[];
}

interface Featuring {
  readonly count: number;
  readonly session: Session;
  readonly spent: (flops: number) => void;
  program(length: number): Program;
}

/** What the frozen body makes of each example, in the order of the batches. */
async function featuresOf(texts: Batches, { count, session, spent, program }: Featuring): Promise<Featured> {
  const values: Float32Array[] = [];
  const labels: number[] = [];
  const ids: string[] = [];
  for (let i = 0; i < texts.perEpoch; i++) {
    const { feeds, examples, ids: names = [] } = await texts.at(i);
    const { ids: tokens, segments } = feeds as Record<string, Nd>;
    const body = program(tokens!.shape[1]!);
    const out = await session.run(body, { ids: tokens!, segments: segments! });
    spent(flops(body));
    const found = Object.values(out);
    if (found.length !== 1) throw fail("internal", `a frozen body gave ${found.length} features`);
    const width = found[0]!.shape[1]!;
    for (let b = 0; b < examples; b++) {
      values.push((found[0]!.data as Float32Array).slice(b * width, (b + 1) * width));
      labels.push(Number(feeds["weights"]!.data[b]) ? Number(feeds["labels"]!.data[b]) : -1);
    }
    ids.push(...names);
  }
  if (values.length !== count) throw fail("internal", `${values.length} features for ${count} examples`);
  return { values, labels, ids };
}

/** Feeds: `feature.0` f32 [B D], `labels` i32 [B], `weights` f32 [B]; without a seed in order, the last batch filled up. */
function featureBatches(
  { values, labels, ids }: Featured,
  { batchSize, seed }: { batchSize: number; seed?: number },
): Batches {
  const perEpoch = Math.ceil(values.length / batchSize);
  const width = values[0]!.length;
  return {
    perEpoch,
    at(index) {
      const [epoch, from] = [Math.floor(index / perEpoch), (index % perEpoch) * batchSize];
      const order = seed === undefined ? (i: number) => i : permutation(values.length, seed, epoch);
      const features = nd("f32", [batchSize, width], 0);
      const answers = nd("i32", [batchSize], 0);
      const weights = nd("f32", [batchSize], 0);
      const members = Array.from({ length: Math.min(batchSize, values.length - from) }, (_, b) => order(from + b));
      for (const [b, i] of members.entries()) {
        features.data.set(values[i]!, b * width);
        if (labels[i]! < 0) continue;
        answers.data[b] = labels[i]!;
        weights.data[b] = 1;
      }
      const tokens = members.filter((i) => labels[i]! >= 0).length;
      const feeds = { "feature.0": features, labels: answers, weights };
      return { feeds, tokens, examples: members.length, ids: members.map((i) => ids[i]!) };
    },
  };
}
