/** `plinth adapt`: a pre-trained model made to do a task, and, with `--control`, what its pre-training saved. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { compare, efficiency, factTables, renderTable, summary, writeReport } from "../evaluate/index.js";
import {
  type AdaptLanguageResult,
  type AdaptPairsResult,
  type AdaptResult,
  adaptLanguage,
  adaptLanguageOptions,
  adaptOptions,
  adaptPairs,
  adaptPairsOptions,
  type ControlEvent,
  control,
  controlOptions,
  adapt as run,
} from "../jobs/index.js";
import { type Context, command } from "./command.js";
import { machinePeak } from "./machine-peak.js";
import { follow } from "./terminal.js";

const common = z.object({
  ...adaptPairsOptions.omit({ task: true }).shape,
  ...adaptLanguageOptions.shape,
  ...controlOptions.shape,
  // each task has a default of its own, and gives way to --steps
  epochs: z
    .number()
    .positive()
    .optional()
    .describe("passes over the data; 12 of labelled texts, 3 of text and of pairs if absent"),
  saveEvery: z
    .int()
    .min(0)
    .optional()
    .describe("steps between checkpoints; if absent, a tenth of the run for text, else only at the end"),
});
type Options = z.output<typeof common>;
type Run = (given: Options, context: Context) => Promise<undefined>;

const tasks = {
  "text-classification": (given, context) =>
    given.control ? runControl(taken(controlOptions, given), context) : runAdapt(taken(adaptOptions, given), context),
  "language-modelling": (given, context) => runLanguage(taken(adaptLanguageOptions, given), context),
  "sentence-pairs": (given, context) => runPairs("sentence-pairs", given, context),
  "text-to-text": (given, context) => runPairs("text-to-text", given, context),
} satisfies Record<string, Run>;

const options = common.extend({
  task: z
    .enum(Object.keys(tasks) as [keyof typeof tasks])
    .default("text-classification")
    .describe(
      "what to learn: labels of texts, to go on with language modelling on your text, near vectors for texts that belong together, or to write one text from another",
    ),
});

export const adapt = command({
  options,
  positional: ["data"],
  examples: [
    {
      line: "npx plinth adapt wordnet:categories --examples 256 --overflow truncate",
      why: "the model that travels with plinth learns 26 categories from 256 definitions",
    },
    { line: "npx plinth adapt --data my.csv --out runs/mine", why: "your own examples: a column text, a column label" },
    {
      line: "npx plinth adapt --task language-modelling notes.txt --base runs/first --method lora --out runs/notes",
      why: "go on with language modelling on your own text",
    },
    {
      line: "npx plinth adapt --task sentence-pairs --data pairs.csv --first question --second answer --base runs/bert",
      why: "vectors that find the answer to a question",
    },
    {
      line: "npx plinth adapt --data my.csv --control --sizes 32 128 512 --out runs/proof",
      why: "what the pre-training saved on them, in labels and in compute",
    },
  ],
  run: ({ task, ...given }, context) => tasks[task](given, context),
});

/** Of all options, those that one task takes. */
const taken = <S extends z.ZodObject>(schema: S, given: Options): z.output<S> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => name in schema.shape)) as z.output<S>;

const resultOf = async <R>(out: string): Promise<R> =>
  JSON.parse(await readFile(join(out, "results.json"), "utf8")) as R;

async function runLanguage(o: z.output<typeof adaptLanguageOptions>, context: Context): Promise<undefined> {
  const signal = context.interruptible();
  const peakGigaflops = await machinePeak(o.engine, o.threads);
  const events = adaptLanguage(o, { signal, note: context.note, peakGigaflops });
  const stopped = await follow(events, context, { label: "adapt", peakGigaflops });
  if (!stopped || stopped.reason === "interrupted") return;
  const result = await resultOf<AdaptLanguageResult>(o.out);
  context.emit(result);
  context.print(`on held-out text: ${changes(result)}`);
  context.print(`the model is in ${join(o.out, "model")}`);
}

/** What a run changed: `loss 3.1 before, 2.2 now; …`. */
function changes({ before, after }: Pick<AdaptLanguageResult, "before" | "after">): string {
  const change = (name: string) => `${name} ${before[name]!.toPrecision(4)} before, ${after[name]!.toPrecision(4)} now`;
  return Object.keys(after).map(change).join("; ");
}

async function runPairs(task: AdaptPairsResult["task"], given: Options, context: Context): Promise<undefined> {
  const o = { ...taken(adaptPairsOptions, given), task };
  const signal = context.interruptible();
  const peakGigaflops = await machinePeak(o.engine, o.threads);
  const events = adaptPairs(o, { signal, note: context.note, peakGigaflops });
  const unit = task === "sentence-pairs" ? { unit: "pairs" } : {};
  const stopped = await follow(events, context, { label: "adapting", ...unit, peakGigaflops });
  if (!stopped || stopped.reason === "interrupted") return;
  const result = await resultOf<AdaptPairsResult>(o.out);
  context.emit(result);
  context.print(`on ${result.pairs.validation} held-out pairs: ${changes(result)}`);
  context.print(`the model is in ${join(o.out, "model")}`);
}

async function runAdapt(options: z.output<typeof adaptOptions>, context: Context): Promise<undefined> {
  const signal = context.interruptible();
  const peakGigaflops = await machinePeak(options.engine, options.threads);
  const events = run(options, { signal, note: context.note, peakGigaflops });
  const stopped = await follow(events, context, { label: "adapting", unit: "examples", peakGigaflops });
  if (!stopped || stopped.reason === "interrupted") return;
  const result = await resultOf<AdaptResult>(options.out);
  context.emit(result);
  const scores = Object.entries(result.test).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
  context.print(`on ${result.examples.test} test examples: ${scores.join("  ")}`);
  context.print(
    `the model is in ${options.out}/model; try it:\n  npx plinth predict "some text" --model ${options.out}`,
  );
}

async function runControl(options: z.output<typeof controlOptions>, context: Context): Promise<undefined> {
  const signal = context.interruptible("the runs that are done are kept");
  for await (const event of control(options, { signal })) {
    context.emit(event);
    if (event.type !== "done") context.note(lineOf(event));
    else await report(options, context);
  }
}

/** One event of a comparison in one line. */
export function lineOf(event: Exclude<ControlEvent, { type: "done" }>): string {
  if (event.type === "warning") return `warning: ${event.message}`;
  if (event.type === "plan") return `${event.runs} runs at ${event.sizes.join(", ")} examples, ${event.labels} labels`;
  if (event.type === "interrupted") return "interrupted: runs that are done are kept";
  if (event.type === "tuned") {
    const tried = Object.entries(event.tried).map(([rate, score]) => `${rate}: ${score.toFixed(3)}`);
    return `${event.arm}: learning rate ${event.learningRate}${tried.length ? ` (validation accuracy ${tried.join(", ")})` : ""}`;
  }
  const { arm, size, seed, score, cost } = event.run;
  const how = event.reused ? "done before" : `${cost.seconds.toFixed(1)} s`;
  return `${event.done}/${event.of}  ${arm.padEnd(7)} ${size} examples, seed ${seed}: accuracy ${score.toFixed(3)}  (${how})`;
}

async function report(options: z.output<typeof controlOptions>, context: Context): Promise<void> {
  const facts = await compare([options.out]);
  await writeReport(join(options.out, "report.html"), facts);
  for (const table of factTables(facts)) context.print(renderTable(table, { width: context.width }));
  context.print(summary(efficiency(facts.curve!)));
  context.print(`the report is ${options.out}/report.html`);
}
