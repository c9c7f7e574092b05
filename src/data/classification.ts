/** Labelled texts as batches of a few fixed lengths. */
import { fail, nd, nearest } from "../ir/index.js";
import type { Batch, Batches } from "./batch.js";
import { type BucketOptions, bucketed, type Group } from "./buckets.js";
import { column } from "./columns.js";
import { type Overflow, type OverflowReport, overflow } from "./overflow.js";
import type { Row } from "./row.js";
import type { Tokenizer } from "./tokenizer.js";

/** A labelled text as the model reads it: [CLS] text [SEP] for a BERT tokeniser, end-of-text and the text for a GPT one, text </s> for T5's. */
export interface Example {
  readonly id: string;
  readonly ids: Int32Array;
  /** Index into the labels; -1 where the text has none. */
  readonly label: number;
  /** Set when only the beginning of the text fits in the context. */
  readonly cut?: true;
}

export interface Examples {
  readonly examples: readonly Example[];
  /** Names of the classes, in the order of their indices. */
  readonly labels: readonly string[];
  readonly overflow: OverflowReport;
}

export interface EncodeOptions {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
  /** Column of the text, default "text"; of the label, default "label"; of the id, default "id", else the place in the file. */
  readonly text?: string;
  readonly label?: string;
  readonly id?: string;
  /** The classes; default: those that occur, sorted. */
  readonly labels?: readonly string[];
  /** Whether rows may lack a label, as for prediction. Default false. */
  readonly unlabelled?: boolean;
  /** Default "error". */
  readonly overflow?: Overflow;
}

/**
 * Reads and encodes labelled rows; they are held in memory as ids. Throws "data" for a missing column or an empty text, "labels"
 * for a label outside `labels`, "overflow" for texts longer than the context, each with the place in the file.
 */
export async function encodeExamples(rows: AsyncIterable<Row> | Iterable<Row>, o: EncodeOptions): Promise<Examples> {
  const read = await readRows(rows, o);
  const labels = o.labels ?? sorted(new Set(read.flatMap((row) => (row.label === undefined ? [] : [row.label]))));
  const numberOf = new Map(labels.map((name, i) => [name, i] as const));
  const { before, after } = frameOf(o.tokenizer);
  const count = overflow(o.overflow ?? "error", o.contextLength - before.length - after.length);
  const examples: Example[] = [];
  for (let from = 0; from < read.length; from += 1024) {
    const group = read.slice(from, from + 1024);
    const encoded = await o.tokenizer.encodeBatch(group.map((row) => row.text));
    for (const [i, row] of group.entries()) {
      const label = row.label === undefined ? -1 : (numberOf.get(row.label) ?? unknownLabel(row, labels));
      const pieces = count.take(row.id, encoded[i]!);
      for (const [part, piece] of pieces.entries()) {
        const ids = Int32Array.from([...before, ...piece, ...after]);
        const cut = o.overflow === "truncate" && piece.length < encoded[i]!.length;
        examples.push({ id: part ? `${row.id}#${part + 1}` : row.id, ids, label, ...(cut && { cut }) });
      }
    }
  }
  return { examples, labels, overflow: count.finish() };
}

/** Numbers by size, so that label 3 has index 3; anything else by its characters, the same in every locale. */
function sorted(labels: Set<string>): string[] {
  const names = [...labels].sort();
  return names.every((name) => /^\d+$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names;
}

interface LabelledText {
  readonly at: string;
  readonly id: string;
  readonly text: string;
  readonly label: string | undefined;
}

async function readRows(rows: AsyncIterable<Row> | Iterable<Row>, o: EncodeOptions): Promise<LabelledText[]> {
  const read: LabelledText[] = [];
  for await (const row of rows) {
    const text = String(column(row, o.text ?? "text"));
    if (text.trim() === "")
      throw fail(
        "data",
        "the text is empty",
        "fill it in or remove the line (plinth doctor lists all such lines)",
        row.at,
      );
    const given = o.unlabelled ? row.fields[o.label ?? "label"] : column(row, o.label ?? "label");
    const label = given === undefined || given === null || given === "" ? undefined : String(given);
    if (label === undefined && !o.unlabelled)
      throw fail("labels", "the label is empty", "fill it in or remove the line", row.at);
    read.push({ at: row.at, id: String(row.fields[o.id ?? "id"] ?? row.at), text, label });
  }
  return read;
}

function unknownLabel(row: LabelledText, labels: readonly string[]): never {
  const known = labels.length <= 12 ? `the labels are ${labels.join(", ")}` : `there are ${labels.length} labels`;
  const close = nearest(row.label!, labels);
  throw fail(
    "labels",
    `the label "${row.label}" was never seen in training`,
    `${known}${close ? `; did you mean "${close}"?` : ""}`,
    row.at,
  );
}

/** What stands before and after a text: the same for training, evaluation and prediction. */
export function frameOf(tokenizer: Tokenizer): { before: number[]; after: number[] } {
  if (tokenizer.frame) return { before: [...tokenizer.frame.before], after: [...tokenizer.frame.after] };
  const { cls, sep, bos, eos } = tokenizer.special;
  if (cls !== undefined && sep !== undefined) return { before: [cls], after: [sep] };
  if (bos !== undefined) return { before: [bos], after: [] };
  // T5's texts only end
  return { before: [], after: eos === undefined ? [] : [eos] };
}

export interface ClassificationOptions extends BucketOptions {
  /** Id of padding, default 0. */
  readonly pad?: number;
}

export interface ClassificationBatches extends Batches {
  /** The lengths that batches come in, ascending. */
  readonly lengths: readonly number[];
}

/** Feeds: `ids segments` i32 [B T], `labels` i32 [B], `weights` f32 [B]; rows that fill up a batch have weight 0 and segment 0. */
export function classificationBatches(examples: readonly Example[], o: ClassificationOptions): ClassificationBatches {
  if (examples.length === 0) throw fail("labels", "there are no examples", "check the data and the overflow setting");
  const sizes = examples.map((example) => example.ids.length);
  const { lengths, perEpoch, group } = bucketed(sizes, o);
  return { lengths, perEpoch, at: (index) => assemble(examples, group(index), o) };
}

function assemble(examples: readonly Example[], group: Group, o: ClassificationOptions): Batch {
  const [B, T] = [o.batchSize, group.length];
  const ids = nd("i32", [B, T], o.pad ?? 0);
  const segments = nd("i32", [B, T], 0);
  const labels = nd("i32", [B], 0);
  const weights = nd("f32", [B], 0);
  for (const [b, member] of group.members.entries()) {
    const example = examples[member]!;
    ids.data.set(example.ids, b * T);
    segments.data.fill(1, b * T, b * T + example.ids.length);
    if (example.label < 0) continue;
    labels.data[b] = example.label;
    weights.data[b] = 1;
  }
  const members = group.members.map((member) => examples[member]!);
  const tokens = members.filter((example) => example.label >= 0).length;
  return { feeds: { ids, segments, labels, weights }, tokens, examples: members.length, ids: members.map((m) => m.id) };
}
