/** The doctor: what is wrong with data, counted and named, before a run spends hours on it. */
import { PlinthError } from "../ir/index.js";
import { examineChat } from "./chat.js";
import { frameOf } from "./classification.js";
import type { Overflow } from "./overflow.js";
import { hashText } from "./random.js";
import type { Row } from "./row.js";
import { checks } from "./symptoms.js";
import type { Tokenizer } from "./tokenizer.js";
import { normalise } from "./wordnet.js";

export type SplitName = "train" | "validation" | "test";

/** One thing that is wrong. */
export interface Finding {
  readonly severity: "error" | "warning";
  /** Short name, stable: what `allow` takes. */
  readonly code: string;
  readonly split?: SplitName;
  readonly count: number;
  readonly message: string;
  /** Ids of the first few examples it concerns. */
  readonly ids: readonly string[];
  readonly help: string;
}

/** What one side of the data holds. */
export interface SplitReport {
  readonly examples: number;
  readonly characters: number;
  /** Lengths in tokens with the special tokens around them, or in characters when no tokeniser was given. */
  readonly length: { readonly unit: "tokens" | "characters" } & Record<
    "total" | "least" | "median" | "p95" | "most",
    number
  >;
  /** Share of tokens that the tokeniser does not know. */
  readonly unknownShare?: number;
  /** Examples of each label, most frequent first. */
  readonly labels?: Readonly<Record<string, number>>;
}

export interface DoctorReport {
  readonly splits: Readonly<Partial<Record<SplitName, SplitReport>>>;
  readonly findings: readonly Finding[];
  /** No finding is an error. */
  readonly ok: boolean;
}

export interface DoctorOptions {
  readonly task: "language-modelling" | "text-classification";
  readonly text?: string;
  readonly label?: string;
  readonly id?: string;
  readonly tokenizer?: Tokenizer;
  readonly contextLength?: number;
  /** What the run will do with long examples: under "error" they are an error here too. Default "error". */
  readonly overflow?: Overflow;
  /** Codes of findings that are known and accepted: they become warnings. */
  readonly allow?: readonly string[];
}

/** Everything counted about one split; what the checks read. */
export interface Chart {
  readonly name: SplitName;
  examples: number;
  characters: number;
  tokens: number;
  unknown: number;
  /** How many examples have each length. */
  readonly lengths: Map<number, number>;
  readonly labels: Map<string, number>;
  /** Hash of a text under `normalise` to the first example that has it. */
  readonly seen: Map<number, { readonly id: string; readonly label: string }>;
  /** What was noticed while reading, by code. */
  readonly noticed: Map<string, { count: number; readonly ids: string[] }>;
  /** Why reading stopped early. */
  stopped?: PlinthError;
}

/** Texts of a split that are remembered to find repeats and leakage: about 200 MB. The rest is said to be not compared. */
const remembered = 1_000_000;

/** Reads every split once and reports. Data that cannot be read is a finding, not a throw. */
export async function examine(
  splits: Partial<Record<SplitName, AsyncIterable<Row> | Iterable<Row>>>,
  o: DoctorOptions,
): Promise<DoctorReport> {
  const charts: Chart[] = [];
  for (const name of ["train", "validation", "test"] as const)
    if (splits[name]) charts.push(await chart(name, splits[name], o));
  const chat = o.tokenizer?.chat ? await examineChat(o.tokenizer, o.tokenizer.chat) : [];
  const findings = [...checks.flatMap((check) => check(charts, o)), ...chat]
    .map((finding) => (o.allow?.includes(finding.code) ? { ...finding, severity: "warning" as const } : finding))
    .sort((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
  return {
    splits: Object.fromEntries(charts.map((one) => [one.name, summary(one, o)])),
    findings,
    ok: findings.every((finding) => finding.severity !== "error"),
  };
}

async function chart(name: SplitName, rows: AsyncIterable<Row> | Iterable<Row>, o: DoctorOptions): Promise<Chart> {
  const empty = { examples: 0, characters: 0, tokens: 0, unknown: 0 };
  const one: Chart = { name, ...empty, lengths: new Map(), labels: new Map(), seen: new Map(), noticed: new Map() };
  let batch: { id: string; text: string }[] = [];
  try {
    for await (const row of rows) {
      const text = record(one, row, o);
      if (text === undefined) continue;
      batch.push(text);
      if (batch.length < 1024) continue;
      await measure(one, batch, o);
      batch = [];
    }
  } catch (error) {
    if (!(error instanceof PlinthError)) throw error;
    one.stopped = error;
  }
  await measure(one, batch, o);
  return one;
}

/** Counts a row; returns its text unless it is empty or missing. */
function record(one: Chart, row: Row, o: DoctorOptions): { id: string; text: string } | undefined {
  const id = String(row.fields[o.id ?? "id"] ?? row.at);
  const given = row.fields[o.text ?? "text"];
  if (!row.more) one.examples++;
  if (given === undefined) return notice(one, "missing-text", id);
  const text = String(given ?? "");
  one.characters += text.length;
  if (text.trim() === "") return notice(one, "empty", id);
  if (text.includes("\ufffd")) notice(one, "replacement", id);
  const label = o.task === "text-classification" ? labelOf(one, row, id, o) : "";
  if (!row.more) remember(one, id, text, label);
  return { id, text };
}

function labelOf(one: Chart, row: Row, id: string, o: DoctorOptions): string {
  const label = String(row.fields[o.label ?? "label"] ?? "");
  if (label === "") notice(one, "unlabelled", id);
  else one.labels.set(label, (one.labels.get(label) ?? 0) + 1);
  if (label !== label.trim()) notice(one, "label-spaces", id);
  return label;
}

function remember(one: Chart, id: string, text: string, label: string): void {
  const plain = normalise(text) || text;
  // 53 bits from two hashes: a false match in a million texts has a chance of about one in ten thousand
  const key = hashText(plain) * 2 ** 21 + (hashText(`\0${plain}`) >>> 11);
  const first = one.seen.get(key);
  if (!first) {
    if (one.seen.size < remembered) one.seen.set(key, { id, label });
    else notice(one, "not-compared", id);
    return;
  }
  notice(one, "duplicate", id);
  if (first.label !== label) notice(one, "conflict", `${first.id} and ${id}`);
}

function notice(one: Chart, code: string, id: string): undefined {
  const entry = one.noticed.get(code) ?? { count: 0, ids: [] };
  entry.count++;
  if (entry.ids.length < 3) entry.ids.push(id);
  one.noticed.set(code, entry);
}

async function measure(one: Chart, batch: readonly { id: string; text: string }[], o: DoctorOptions): Promise<void> {
  if (!o.tokenizer) {
    for (const { text } of batch) lengthen(one, text.length);
    return;
  }
  const { before, after } = frameOf(o.tokenizer);
  const special = new Set(Object.values(o.tokenizer.special).filter((id) => id !== o.tokenizer?.special.unk));
  const encoded = await o.tokenizer.encodeBatch(batch.map((entry) => entry.text));
  for (const [i, ids] of encoded.entries()) {
    const { id } = batch[i]!;
    const length = ids.length + before.length + after.length;
    lengthen(one, length);
    one.tokens += ids.length;
    for (const token of ids) if (token === o.tokenizer.special.unk) one.unknown++;
    if (ids.length && ids[0] === before[0]) notice(one, "double-start", id);
    else if (ids.some((token) => special.has(token))) notice(one, "special-in-text", id);
    if (o.contextLength !== undefined && length > o.contextLength) notice(one, "too-long", id);
    if (ids.length === 0) notice(one, "no-tokens", id);
  }
}

const lengthen = (one: Chart, length: number) => one.lengths.set(length, (one.lengths.get(length) ?? 0) + 1);

function summary(one: Chart, o: DoctorOptions): SplitReport {
  const lengths = [...one.lengths].sort(([a], [b]) => a - b);
  const count = lengths.reduce((sum, [, n]) => sum + n, 0);
  const quantile = (q: number) => {
    let left = Math.ceil(q * count);
    for (const [length, n] of lengths) {
      left -= n;
      if (left <= 0) return length;
    }
    return 0;
  };
  const labels = [...one.labels].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return {
    examples: one.examples,
    characters: one.characters,
    length: {
      unit: o.tokenizer ? "tokens" : "characters",
      total: lengths.reduce((sum, [length, n]) => sum + length * n, 0),
      least: lengths[0]?.[0] ?? 0,
      median: quantile(0.5),
      p95: quantile(0.95),
      most: lengths.at(-1)?.[0] ?? 0,
    },
    ...(o.tokenizer?.special.unk !== undefined && { unknownShare: one.tokens ? one.unknown / one.tokens : 0 }),
    ...(o.task === "text-classification" && { labels: Object.fromEntries(labels) }),
  };
}
