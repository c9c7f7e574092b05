/** Labelled texts for an adaptation: read, split where no split was given, encoded as the base model reads them. */
import { createHash } from "node:crypto";
import {
  type DoctorReport,
  type Example,
  encodeExamples,
  hashText,
  normalise,
  type Overflow,
  type OverflowReport,
  type Row,
  rows,
  type Split,
} from "../data/index.js";
import { fail } from "../ir/index.js";
import type { TrainEvent } from "../train/index.js";
import type { Base } from "./base.js";
import { examinedLabels, warningsOf } from "./examined.js";

export interface LabelledOptions {
  readonly data: readonly string[];
  readonly validation?: readonly string[] | undefined;
  readonly test?: readonly string[] | undefined;
  /** Share of the data set apart for each of validation and test, where they are not given. */
  readonly heldOutShare: number;
  readonly text: string;
  readonly label: string;
  readonly overflow: Overflow;
  readonly contextLength?: number | undefined;
  /** Findings of the doctor that are accepted. */
  readonly allow: readonly string[];
}

export interface Labelled {
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly test: readonly Example[];
  readonly labels: readonly string[];
  readonly report: DoctorReport;
  /** What the doctor warns of, as events of a run. */
  readonly findings: readonly TrainEvent[];
  /** sha256 of each side. */
  readonly hashes: Readonly<Record<Split, string>>;
}

const splits = ["train", "validation", "test"] as const;

/** The rows of every side. */
async function splitRows(o: LabelledOptions): Promise<Record<Split, Row[]>> {
  const sides: Record<Split, Row[]> = { train: [], validation: [], test: [] };
  const add = async (side: Split | undefined, sources: readonly string[]) => {
    for (const source of sources) {
      const found = rows(source, { text: o.text, split: side ?? "every" });
      for await (const row of found) sides[side ?? row.split ?? sideOf(row, o)].push(row);
    }
  };
  const given = { validation: o.validation, test: o.test };
  await add(o.validation && o.test ? "train" : undefined, o.data);
  for (const side of ["validation", "test"] as const) {
    const sources = given[side];
    if (!sources) continue;
    sides.train.push(...sides[side].splice(0));
    await add(side, sources);
  }
  return sides;
}

/** Equal texts fall on one side, whatever their order in the file. */
function sideOf(row: Row, { text, heldOutShare }: LabelledOptions): Split {
  const at = hashText(normalise(String(row.fields[text] ?? ""))) / 2 ** 32;
  return at < heldOutShare ? "validation" : at < 2 * heldOutShare ? "test" : "train";
}

const warning = (message: string): TrainEvent => ({ type: "warning", step: 0, message });

/** Rows whose label training would never see go to training, from the sides that were drawn. Says how many. */
function keepLabelsTogether(sides: Record<Split, Row[]>, o: LabelledOptions): TrainEvent[] {
  const labelOf = (row: Row) => String(row.fields[o.label] ?? "");
  const known = new Set(sides.train.map(labelOf));
  const moved: Row[] = [];
  for (const side of ["validation", "test"] as const) {
    if (o[side]) continue;
    moved.push(...sides[side].filter((row) => !known.has(labelOf(row))));
    sides[side] = sides[side].filter((row) => known.has(labelOf(row)));
  }
  if (!moved.length) return [];
  for (const row of moved) sides.train.push(row);
  const labels = [...new Set(moved.map(labelOf))].slice(0, 3).join(", ");
  return [
    warning(
      `train: ${moved.length} held-out examples were moved here, since training had none of their labels (such as ${labels})`,
    ),
  ];
}

function cutWarning(side: Split, texts: number, { examples, lostTokens, ids }: OverflowReport): TrainEvent[] {
  if (!examples) return [];
  return [
    warning(`${side}: ${examples} of ${texts} texts too long, ${lostTokens} tokens lost (such as ${ids.join(", ")})`),
  ];
}

/** Read and encode every side. Throws `config` for a context longer than the base's, `labels` when a side is empty, `data` and `overflow` as the rows do. */
export async function readLabelled(base: Base, o: LabelledOptions): Promise<Labelled> {
  const limit = base.config.contextLength;
  const contextLength = o.contextLength ?? limit;
  if (contextLength > limit)
    throw fail("config", `texts of ${contextLength} tokens, in a model of ${limit}`, `use at most ${limit}`);
  const sides = await splitRows(o);
  const moved = o.validation && o.test ? [] : keepLabelsTogether(sides, o);
  for (const side of splits)
    if (!sides[side].length)
      throw fail("labels", `no examples are left for ${side}`, "give more data, or name --validation and --test");
  const { text, label, allow } = o;
  const report = await examinedLabels(sides, {
    text,
    label,
    allow,
    overflow: o.overflow,
    tokenizer: base.tokenizer,
    contextLength,
  });
  const common = {
    tokenizer: base.tokenizer,
    contextLength,
    text,
    label,
    overflow: o.overflow,
  };
  const train = await encodeExamples(sides.train, common);
  if (train.labels.length < 2)
    throw fail(
      "labels",
      `every training example has the label "${train.labels[0]}"`,
      "there must be two labels or more",
    );
  const { labels } = train;
  const validation = await encodeExamples(sides.validation, { ...common, labels });
  const test = await encodeExamples(sides.test, { ...common, labels });
  const cuts = [
    ...cutWarning("train", sides.train.length, train.overflow),
    ...cutWarning("validation", sides.validation.length, validation.overflow),
    ...cutWarning("test", sides.test.length, test.overflow),
  ];
  return {
    train: train.examples,
    validation: validation.examples,
    test: test.examples,
    labels,
    report,
    findings: [...moved, ...warningsOf(report), ...cuts],
    hashes: { train: hashOf(train.examples), validation: hashOf(validation.examples), test: hashOf(test.examples) },
  };
}

function hashOf(examples: readonly Example[]): string {
  const hash = createHash("sha256");
  for (const { ids, label } of examples) hash.update(`${label}:${ids.join()}\n`);
  return hash.digest("hex");
}
