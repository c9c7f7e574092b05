/** Scores of a trained model on held-out data: a classifier's labels, or a language model's predictions. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { classificationBatches, documents, type Row, rows, type Tokens, writeShards } from "../data/index.js";
import { fail } from "../ir/index.js";
import { parametersOf } from "../models/index.js";
import { chooseEngine } from "../runtime/index.js";
import { type Base, openBase } from "./base.js";
import { openScoring } from "./fit.js";
import { heldOut, objectiveOf, scorer } from "./language-model.js";
import { optionsOf } from "./options.js";
import { encodeFor, grouped, openClassifier, runningOptions } from "./predict.js";
import { textsBegin } from "./save-model.js";

/** What `evaluate` takes. */
export const evaluateOptions = z.object({
  data: z
    .array(z.string())
    .min(1)
    .describe("labelled examples or text; of the sources built in, the test part is used"),
  label: z.string().default("label").describe("classifiers: column of the label"),
  documents: z
    .enum(["isolated", "joined"])
    .optional()
    .describe("gpt: whether documents see one another; as in training if absent"),
  maskRate: z.number().gt(0).lt(1).default(0.15).describe("bert: share of the tokens to fill in"),
  ...runningOptions,
});
export type EvaluateOptions = z.input<typeof evaluateOptions>;
type Resolved = z.output<typeof evaluateOptions>;

/** Scores by name; the same for every batch size. A model folder with labels is a classifier, any other a language model. */
export async function evaluate(given: EvaluateOptions): Promise<Record<string, number>> {
  const o = optionsOf(evaluateOptions, given);
  const base = await openBase(o.model);
  return base.labels?.length ? evaluateClassifier(o) : evaluateLanguageModel(o, base);
}

/** Rows that are held at a time: enough to sort them by length. */
const groupSize = 1024;

async function evaluateClassifier(o: Resolved): Promise<Record<string, number>> {
  await using c = await openClassifier(o);
  const scoring = openScoring(c.session, ({ feeds }) => c.program(...(feeds["ids"]!.shape as [number, number])));
  let [count, truncated, lostTokens] = [0, 0, 0];
  for await (const group of grouped(testRows(o), groupSize)) {
    const { examples, overflow } = await encodeFor(c, group, o);
    await scoring.add(classificationBatches(examples, { batchSize: o.batchSize, seed: 0, shuffle: false }));
    count += examples.length;
    truncated += overflow.examples;
    lostTokens += overflow.lostTokens;
  }
  if (!count) throw fail("labels", "there are no examples", "check the data");
  return { examples: count, truncated, lostTokens, ...scoring.values() };
}

async function* testRows(o: Resolved): AsyncGenerator<Row> {
  for (const source of o.data) yield* rows(source, { text: o.text, split: "test" });
}

async function evaluateLanguageModel(o: Resolved, base: Base): Promise<Record<string, number>> {
  const { tokenizer } = base;
  const folder = await mkdtemp(join(tmpdir(), "plinth-evaluate-"));
  try {
    const end = tokenizer.special.cls === undefined ? tokenizer.special.eos : undefined;
    const text = documents(o.data, { text: o.text, split: "test" });
    const tokens = await writeShards(text, {
      tokenizer,
      folder: join(folder, "tokens"),
      ...(end !== undefined && { end }),
    });
    try {
      return await scoreTokens(o, base, tokens);
    } finally {
      tokens.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function scoreTokens(o: Resolved, base: Base, tokens: Tokens): Promise<Record<string, number>> {
  const { header } = tokens;
  const shown = o.documents ?? ((await textsBegin(base.path)) ? "isolated" : "joined");
  // what T5 was pre-trained with
  const spans = { spanRate: 0.15, spanLength: 3 };
  const how = { ...o, ...spans, documents: shown, contextLength: undefined, seed: 0, wholeWord: true };
  const batches = await heldOut(base, tokens, base.tokenizer, how);
  try {
    const lm = await objectiveOf(base, batches, { training: false });
    const engine = await chooseEngine(o.engine);
    await using session = await base.open(engine, parametersOf(base.family, base.config), { threads: o.threads });
    const bytesPerToken = base.family.objective === "causal" ? header.bytes / header.tokens : undefined;
    const scores = await scorer(lm, batches, { most: Number.POSITIVE_INFINITY, bytesPerToken })(session);
    return { tokens: header.tokens, ...scores };
  } finally {
    batches.close();
  }
}
