/** Classifying texts with an adapted model: labels with their probabilities, and scores on labelled texts. */
import { z } from "zod";
import {
  classificationBatches,
  type Example,
  encodeExamples,
  type OverflowReport,
  type Row,
  rows,
} from "../data/index.js";
import { fail, type Nd, type Program, params, Scope } from "../ir/index.js";
import type { Pooling } from "../models/index.js";
import { chooseEngine, type Session } from "../runtime/index.js";
import { textClassification } from "../tasks/index.js";
import { type Base, openBase } from "./base.js";
import { only } from "./fit.js";
import { optionsOf } from "./options.js";

/** What everything that runs a trained classifier is told. */
export const runningOptions = {
  model: z.string().default("runs/adapt").describe("an adapted run or its model folder"),
  text: z.string().default("text").describe("column of the text"),
  overflow: z.enum(["error", "truncate"]).default("truncate").describe("what happens to texts longer than the context"),
  batchSize: z.int().positive().default(32).describe("texts at a time"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where programs run"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
};

/** What `predict` takes. */
export const predictOptions = z.object({
  texts: z.array(z.string()).default([]).describe("texts to classify"),
  data: z.array(z.string()).default([]).describe("files of texts to classify"),
  top: z.int().positive().default(3).describe("labels to give for each text, the likeliest first"),
  ...runningOptions,
});
export type PredictOptions = z.input<typeof predictOptions>;

export interface Prediction {
  readonly id: string;
  readonly text: string;
  /** The likeliest labels, in order. */
  readonly labels: readonly { readonly label: string; readonly probability: number }[];
  /** Set when only the beginning of the text was read: it is longer than the context. */
  readonly truncated?: true;
}

export interface Classifier extends AsyncDisposable {
  readonly base: Base;
  readonly labels: readonly string[];
  readonly session: Session;
  /** Tokens that a text may have, as in training. */
  readonly contextLength: number;
  program(batch: number, length: number): Program;
}

/** Open an adapted model. Throws `checkpoint` where there is none, `labels` where it is no classifier. */
export async function openClassifier(o: {
  model: string;
  engine: "auto" | "native" | "ort" | "reference";
  threads?: number | undefined;
}): Promise<Classifier> {
  const base = await openBase(o.model);
  const { labels } = base;
  if (!labels?.length)
    throw fail(
      "labels",
      `${o.model} is no classifier: its config.json has no labels`,
      "adapt it first: npx plinth adapt --help",
    );
  const said = (base.json["plinth"] ?? {}) as { pooling?: Pooling; contextLength?: number };
  // a classifier of another program's reads the first token, where its family can
  const pooling = said.pooling ?? base.family.poolings.find((one) => one === "cls");
  const programs = new Map<string, Program>();
  const build = (batch: number, length: number) =>
    textClassification(base.family, base.config, {
      p: new Scope(),
      batch,
      length,
      classes: labels.length,
      ...(pooling && { pooling }),
    });
  const wanted = params([build(1, 8).outputs.logits]);
  const engine = await chooseEngine(o.engine);
  const session = await base.open(engine, wanted, { threads: o.threads });
  return {
    base,
    labels,
    session,
    contextLength: Math.min(said.contextLength ?? base.config.contextLength, base.config.contextLength),
    program(batch, length) {
      const key = `${batch} ${length}`;
      const known = programs.get(key);
      if (known) return known;
      const { logits, losses, probabilities } = build(batch, length).outputs;
      const program = { outputs: { logits, losses, probabilities }, next: {} };
      programs.set(key, program);
      return program;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** Labels of texts, in order. Throws `checkpoint` and `labels` for a model that cannot classify, `data` for an empty text. */
export async function* predict(given: PredictOptions): AsyncGenerator<Prediction> {
  const o = optionsOf(predictOptions, given);
  let classifier: Classifier | undefined;
  try {
    for await (const group of grouped(textsOf(o), o.batchSize)) {
      classifier ??= await openClassifier(o);
      yield* predictBatch(classifier, group, o);
    }
    if (!classifier) throw fail("usage", "there is nothing to classify", "give a text, or --data with a file");
  } finally {
    await classifier?.[Symbol.asyncDispose]();
  }
}

async function* textsOf(o: z.output<typeof predictOptions>): AsyncGenerator<Row> {
  for (const [i, text] of o.texts.entries()) yield { at: `text ${i + 1}`, fields: { [o.text]: text } };
  for (const source of o.data) yield* rows(source, { text: o.text });
}

/** Rows in groups of `size`, the last one smaller: no more of them are held at a time. */
export async function* grouped(all: AsyncIterable<Row>, size: number): AsyncGenerator<Row[]> {
  let group: Row[] = [];
  for await (const row of all) {
    group.push(row);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length) yield group;
}

async function* predictBatch(
  c: Classifier,
  group: readonly Row[],
  o: z.output<typeof predictOptions>,
): AsyncGenerator<Prediction> {
  const { examples } = await encodeFor(c, group, { ...o, unlabelled: true });
  // one bucket in order: row b of the batch is row b of the group
  const batch = await classificationBatches(examples, {
    batchSize: group.length,
    seed: 0,
    shuffle: false,
    buckets: 1,
  }).at(0);
  const [rowsInBatch, length] = batch.feeds["ids"]!.shape as [number, number];
  const program = c.program(rowsInBatch, length);
  const out = await c.session.run(program, only(batch.feeds, program));
  for (const [b, row] of group.entries()) {
    const { id, cut } = examples[b]!;
    yield {
      id,
      text: String(row.fields[o.text]),
      labels: likeliest(out["probabilities"]!, b, c.labels).slice(0, o.top),
      ...(cut && { truncated: cut }),
    };
  }
}

/** Texts as the classifier reads them. */
export const encodeFor = (
  c: Classifier,
  group: readonly Row[],
  o: { text: string; label?: string; overflow: "error" | "truncate"; unlabelled?: boolean },
): Promise<{ examples: readonly Example[]; overflow: OverflowReport }> =>
  encodeExamples(group, {
    tokenizer: c.base.tokenizer,
    contextLength: c.contextLength,
    labels: c.labels,
    text: o.text,
    ...(o.label !== undefined && { label: o.label }),
    overflow: o.overflow,
    ...(o.unlabelled && { unlabelled: true }),
  });

function likeliest(
  { shape, data }: Nd,
  row: number,
  labels: readonly string[],
): { label: string; probability: number }[] {
  const columns = shape[1]!;
  return labels
    .map((label, c) => ({ label, probability: Number(data[row * columns + c]) }))
    .sort((a, b) => b.probability - a.probability);
}
