/** Writing a model for others: a folder that Python's transformers and sentence-transformers load, and ONNX files for transformers.js. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { rows } from "../data/index.js";
import { fail } from "../ir/index.js";
import { removeModel } from "../models/index.js";
import { readRun } from "../train/index.js";
import { type Base, openBase } from "./base.js";
import {
  poolingOf,
  requirePublic,
  requireSentences,
  writeCommon,
  writeSentenceTransformers,
  writeTransformers,
} from "./export-folder.js";
import { type ExportedFile, exportOnnx } from "./export-onnx.js";
import { type ExportOptions, exportOptions, type ResolvedExport } from "./export-options.js";
import { optionsOf } from "./options.js";
import type { ExportTask } from "./portable.js";

/** What was written: one ONNX file, or the folder for a reader. */
export type Exported =
  | ({ readonly kind: "onnx" } & ExportedFile)
  | { readonly kind: "transformers" | "sentence-transformers"; readonly file: string };

/**
 * Export a model; yields what is written as it is written. Throws `checkpoint` for a folder that is no model, `config` for a format
 * that cannot hold it, `run` for a folder that is there already, `parity` for an ONNX file that answers differently, which is taken away.
 */
export async function* exportModel(given: ExportOptions): AsyncGenerator<Exported> {
  const o = optionsOf(exportOptions, given);
  const base = await openBase(o.model);
  const task = taskOf(base, o);
  await requireFree(base, o);
  const pooling = o.pooling ?? (await poolingOf(base)) ?? base.family.poolings[0]!;
  const common = { base, task, pooling, asked: o.pooling };
  const forPython = o.format.some((format) => format !== "onnx");
  if (forPython) requirePublic(common);
  if (o.format.includes("sentence-transformers")) requireSentences(common);
  if (existsSync(o.out)) await removeModel(o.out);
  await writeCommon(o.out, common);
  if (forPython) {
    await writeTransformers(o.out, common);
    yield { kind: "transformers", file: o.out };
  }
  if (o.format.includes("sentence-transformers")) {
    await writeSentenceTransformers(o.out, common);
    yield { kind: "sentence-transformers", file: o.out };
  }
  if (!o.format.includes("onnx")) return;
  const { family, config, labels } = base;
  const classes = labels?.length;
  const texts = await samples(base, o);
  const start = Number(base.json["decoder_start_token_id"] ?? base.json["pad_token_id"] ?? 0);
  for await (const file of exportOnnx(o.out, {
    ...o,
    family,
    config,
    base,
    task,
    classes,
    pooling,
    texts,
    begin: [start],
  }))
    yield { kind: "onnx", ...file };
}

/** What config.json says the model is for. */
function taskOf({ json, labels, family: { objective } }: Base, { body }: ResolvedExport): ExportTask {
  const [architecture = ""] = (json["architectures"] ?? []) as string[];
  const task = (json["plinth"] as { task?: string } | undefined)?.task;
  if (body || task === "sentence-pairs") return "feature-extraction";
  if (objective === "seq2seq") return "text2text-generation";
  if (/ForTokenClassification$/.test(architecture)) return "token-classification";
  if (/ForQuestionAnswering$/.test(architecture)) return "question-answering";
  if (labels && isClassifier(json)) return "text-classification";
  if (objective === "causal") return "text-generation";
  return /For(MaskedLM|PreTraining)$/.test(architecture) ? "fill-mask" : "feature-extraction";
}
const isClassifier = (json: Base["json"]): boolean =>
  `${json["architectures"]}`.endsWith("ForSequenceClassification") ||
  (json["plinth"] as { task?: string } | undefined)?.task === "text-classification";

async function requireFree({ path }: Base, { out, replace }: ResolvedExport): Promise<void> {
  if (resolve(out) === resolve(path))
    throw fail("run", "the model would be written over itself", "name another folder", out);
  if (!replace && existsSync(out) && (await readdir(out)).length)
    throw fail("run", "there is something in this folder already", "name another folder, or add --replace", out);
}

const own = [
  "A small bird sat on the branch of an old tree and sang.",
  "The price of bread rose by 12 % last year, said the minister.",
  "How do I reset my password?",
  "She read the letter twice, folded it, and put it back into the drawer where it had lain for years.",
  "no",
];

/** What a run was validated on; nothing for a model folder. */
async function heldOut(model: string): Promise<string[]> {
  const { config } = await readRun(model);
  const found = z.array(z.string()).safeParse(config["test"] ?? config["validation"]);
  return found.success ? found.data : [];
}

async function first(sources: readonly string[], { text, samples: most }: ResolvedExport): Promise<string[]> {
  const texts: string[] = [];
  for await (const { fields } of rows(sources, { text })) {
    if (texts.push(String(fields[text] ?? "")) >= most) break;
  }
  return texts;
}

/** Texts as the model reads them, cut to a length that is quickly computed. */
async function samples({ tokenizer, config }: Base, o: ResolvedExport): Promise<Int32Array[]> {
  const texts = o.data.length
    ? await first(o.data, o)
    : await heldOut(o.model)
        .then((sources) => first(sources, o))
        .catch(() => []);
  const { cls, sep } = tokenizer.special;
  const framed = cls !== undefined && sep !== undefined;
  const most = Math.min(64, config.contextLength) - (framed ? 2 : 0);
  const encoded = await tokenizer.encodeBatch(texts.length || o.data.length ? texts : own);
  const framing = (ids: Int32Array) => (framed ? [cls, ...ids.slice(0, most), sep] : ids.slice(0, most));
  const found = encoded.filter((ids) => ids.length).map((ids) => Int32Array.from(framing(ids)));
  if (found.length) return found;
  throw fail(
    "data",
    `there is no text in column "${o.text}" to hold the files to`,
    "name its column: --text",
    o.data[0],
  );
}
