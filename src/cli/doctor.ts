/** `plinth doctor`: what is wrong with data, counted and named, before a run spends hours on it. */
import { z } from "zod";
import {
  type DoctorReport,
  examine,
  type Finding,
  loadTokenizer,
  overflows,
  rows,
  type SplitName,
  type SplitReport,
} from "../data/index.js";
import { command } from "./command.js";

const files = () => z.array(z.string());
const options = z.object({
  data: files().min(1).describe("the training data: files, folders, globs, or a built-in source"),
  validation: files().default([]).describe("the validation data"),
  test: files().default([]).describe("the test data; what it shares with the training data is an error"),
  task: z
    .enum(["language-modelling", "text-classification"])
    .optional()
    .describe("what the data is for; classification if absent and the rows have the label column"),
  text: z.string().default("text").describe("the column that holds the text"),
  label: z.string().default("label").describe("the column that holds the label"),
  id: z.string().default("id").describe("the column that names an example; file and line where there is none"),
  tokenizer: z.string().optional().describe("measure lengths in the tokens of this tokeniser or model folder"),
  contextLength: z.int().positive().optional().describe("the model's context; needs --tokenizer"),
  overflow: z.enum(overflows).default("error").describe("what the run will do with an example over the context"),
  allow: z.array(z.string()).default([]).describe("findings that are known and accepted, by their code"),
});
type Options = z.output<typeof options>;

const sides: readonly SplitName[] = ["train", "validation", "test"];
const sourcesOf = (o: Options, side: SplitName) => (side === "train" ? o.data : o[side]);

/** What the data is examined for; and why, where that may not be what was meant. */
async function taskOf(o: Options): Promise<{ readonly task: NonNullable<Options["task"]>; readonly why: string }> {
  if (o.task) return { task: o.task, why: "" };
  for await (const { fields } of rows(o.data)) {
    if (o.label in fields) return { task: "text-classification", why: "" };
    const columns = Object.keys(fields);
    const why =
      columns.length > 1 ? `: there is no column "${o.label}" among ${columns.join(", ")} (--label names it)` : "";
    return { task: "language-modelling", why };
  }
  return { task: "language-modelling", why: "" };
}

function splitText(name: string, { examples, length, labels, unknownShare }: SplitReport): string {
  const lengths = `${length.least} to ${length.most} ${length.unit} (median ${length.median}, 95 % up to ${length.p95})`;
  const known = labels ? Object.entries(labels) : [];
  const listed = known.slice(0, 8).map(([label, count]) => `${label} ${count}`);
  const more = known.length > listed.length ? `, and ${known.length - listed.length} more` : "";
  return [
    `${name}: ${examples.toLocaleString("en-US")} examples of ${lengths}`,
    ...(known.length ? [`  ${known.length} labels: ${listed.join(", ")}${more}`] : []),
    ...(unknownShare ? [`  ${(unknownShare * 100).toFixed(2)} % of the tokens are unknown`] : []),
  ].join("\n");
}

function findingText({ severity, code, split, count, message, ids, help }: Finding): string {
  const where = split ? ` in ${split}` : "";
  return [
    `${severity} ${code}${where}: ${message}`,
    ...(ids.length ? [`  ${count > ids.length ? "such as" : "at"} ${ids.join(", ")}`] : []),
    `  help: ${help}`,
  ].join("\n");
}

function verdict({ findings }: DoctorReport): string {
  const errors = findings.filter((f) => f.severity === "error").length;
  if (findings.length === 0) return "nothing is wrong";
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const all = [count(errors, "error"), count(findings.length - errors, "warning")].join(", ");
  return errors ? `${all}; an error that is known and accepted can be allowed: --allow ${findings[0]!.code}` : all;
}

/** Prints what was found; exit code 2 when any of it is an error. */
export const doctor = command({
  options,
  positional: ["data"],
  examples: [
    {
      line: "npx plinth doctor wordnet:categories --test wordnet:categories",
      why: "examine a labelled data set that travels with plinth, both sides of its split",
    },
    {
      line: "npx plinth doctor wordnet:definitions --task language-modelling --json",
      why: "examine text for pre-training, for a program",
    },
  ],
  async run(o, context) {
    const { task, why } = await taskOf(o);
    const splits = sides
      .filter((side) => sourcesOf(o, side).length > 0)
      .map((side) => [side, rows(sourcesOf(o, side), { split: side })] as const);
    const report = await examine(Object.fromEntries(splits), {
      task,
      text: o.text,
      label: o.label,
      id: o.id,
      overflow: o.overflow,
      allow: o.allow,
      ...(o.tokenizer === undefined ? {} : { tokenizer: await loadTokenizer(o.tokenizer) }),
      ...(o.contextLength === undefined ? {} : { contextLength: o.contextLength }),
    });
    context.emit({ task, ...report });
    context.print(`examined for ${task}${why}`);
    for (const [name, split] of Object.entries(report.splits)) context.print(splitText(name, split));
    context.print(["", ...report.findings.map(findingText), verdict(report)].join("\n"));
    return report.ok ? undefined : 2;
  },
});
