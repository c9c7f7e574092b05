/** Classifying texts with an adapted model: labels with their probabilities, and scores on labelled texts. */
import { z } from "zod";
import { classificationBatches, type Example, encodeExamples, overflows, type Row, rows } from "../data/index.js";
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
  overflow: z.enum(overflows).default("truncate").describe("what happens to texts longer than the context"),
  batchSize: z.int().positive().default(32).describe("texts at a time"),
  engine: z.enum(["auto", "ort", "reference"]).default("auto").describe("where programs run"),
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
}

export interface Classifier extends AsyncDisposable {
  readonly base: Base;
  readonly labels: readonly string[];
  readonly session: Session;
  program(batch: number, length: number): Program;
}

/** Open an adapted model. Throws `checkpoint` where there is none, `labels` where it is no classifier. */
export async function openClassifier(o: {
  model: string;
  engine: "auto" | "ort" | "reference";
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
  const { pooling } = (base.json["plinth"] ?? {}) as { pooling?: Pooling };
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
  const session = await engine.open(await base.weights(wanted), o.threads === undefined ? {} : { threads: o.threads });
  return {
    base,
    labels,
    session,
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
  const found: Row[] = o.texts.map((text, i) => ({ at: `text ${i + 1}`, fields: { [o.text]: text } }));
  for (const source of o.data) for await (const row of rows(source, { text: o.text })) found.push(row);
  if (!found.length) throw fail("usage", "there is nothing to classify", "give a text, or --data with a file");
  await using c = await openClassifier(o);
  for (let from = 0; from < found.length; from += o.batchSize)
    yield* predictBatch(c, found.slice(from, from + o.batchSize), o);
}

async function* predictBatch(
  c: Classifier,
  group: readonly Row[],
  o: z.output<typeof predictOptions>,
): AsyncGenerator<Prediction> {
  const { examples } = await encodeFor(c, group, { ...o, unlabelled: true });
  const batches = classificationBatches(examples, {
    batchSize: Math.min(o.batchSize, group.length),
    seed: 0,
    shuffle: false,
    buckets: 1,
  });
  const batch = await batches.at(0);
  const [rowsInBatch, length] = batch.feeds["ids"]!.shape as [number, number];
  const program = c.program(rowsInBatch, length);
  const out = await c.session.run(program, only(batch.feeds, program));
  const order = new Map(group.map((row, i) => [String(row.fields["id"] ?? row.at), i]));
  for (const [b, id] of batch.ids!.entries()) {
    const row = group[order.get(id) ?? b]!;
    yield {
      id,
      text: String(row.fields[o.text]),
      labels: likeliest(out["probabilities"]!, b, c.labels).slice(0, o.top),
    };
  }
}

/** Texts as the classifier reads them. */
export const encodeFor = (
  c: Classifier,
  group: readonly Row[],
  o: { text: string; label?: string; overflow: z.output<typeof predictOptions>["overflow"]; unlabelled?: boolean },
): Promise<{ examples: readonly Example[] }> =>
  encodeExamples(group, {
    tokenizer: c.base.tokenizer,
    contextLength: c.base.config.contextLength,
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
