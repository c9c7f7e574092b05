/** The doctor's look at text before a run: errors stop it, warnings are told and kept in the log. */
import {
  type DoctorOptions,
  type DoctorReport,
  examine,
  type Finding,
  type Row,
  rows,
  type Split,
  type Tokenizer,
} from "../data/index.js";
import { type Code, fail } from "../ir/index.js";
import type { TrainEvent } from "../train/index.js";

export interface ExaminedText {
  readonly data: readonly string[];
  readonly validation?: readonly string[] | undefined;
  readonly text: string;
  /** Documents of each side that are looked at, from its beginning. */
  readonly examine: number;
  readonly allow: readonly string[];
}

/** Characters of each side that are looked at, at most: a second's work, whatever the size of the corpus. */
const mostCharacters = 32e6;

/**
 * Examine the beginning of a corpus: reading all of a large one once more would cost as much as making its tokens, and what
 * cannot be read at all is found there anyway. Returns warnings as events of a run. Throws the first error, with the ids of
 * its examples: `leakage`, `tokenizer` or `data`.
 */
export async function examined(o: ExaminedText, tokenizer: Tokenizer): Promise<TrainEvent[]> {
  if (o.examine === 0) return [];
  const side = (sources: readonly string[], split: Split) => first(rows(sources, { split }), o);
  const report = await examine(
    { train: side(o.data, "train"), ...(o.validation && { validation: side(o.validation, "validation") }) },
    { task: "language-modelling", text: o.text, tokenizer, allow: o.allow },
  );
  refuse(report);
  return warningsOf(report);
}

/** Examine labelled examples. Throws the first error, as `examined` does. */
export async function examinedLabels(
  sides: Readonly<Record<Split, readonly Row[]>>,
  o: Omit<DoctorOptions, "task">,
): Promise<DoctorReport> {
  const report = await examine(sides, { ...o, task: "text-classification" });
  refuse(report);
  return report;
}

/** What the doctor found, as events of a run. */
export const warningsOf = ({ findings }: DoctorReport): TrainEvent[] =>
  findings.map((finding) => ({ type: "warning", step: 0, message: said(finding) }));

async function* first(all: AsyncIterable<Row>, { text, examine }: ExaminedText): AsyncGenerator<Row> {
  let [documents, characters] = [0, 0];
  for await (const row of all) {
    yield row;
    if (!row.more) documents++;
    characters += String(row.fields[text] ?? "").length;
    if (documents >= examine || characters >= mostCharacters) return;
  }
}

const said = ({ split, message, ids, code }: Finding): string =>
  `${split ? `${split}: ` : ""}${message}${ids.length ? ` (such as ${ids.join(", ")})` : ""} [${code}]`;

const codeOf: Readonly<Record<string, Code>> = {
  leakage: "leakage",
  "unknown-tokens": "tokenizer",
  "no-end": "tokenizer",
};

/** Throws the first error. */
function refuse({ findings }: DoctorReport): void {
  const errors = findings.filter((finding) => finding.severity === "error");
  const [worst, ...others] = errors;
  if (!worst) return;
  const also = others.length ? `; also ${others.map(({ code }) => code).join(", ")}` : "";
  throw fail(
    codeOf[worst.code] ?? "data",
    `${worst.split ? `${worst.split}: ` : ""}${worst.message}${also}`,
    `${worst.help}; what is known and accepted can be allowed: --allow ${worst.code}`,
    worst.ids.length ? worst.ids.join(", ") : undefined,
  );
}
