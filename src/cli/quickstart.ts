/** `plinth quickstart`: everything once, in a few minutes, with a report at the end. */
import { dirname, join, resolve } from "node:path";
import { efficiency, factTables, headline, renderTable, summary } from "../evaluate/index.js";
import { type QuickstartEvent, quickstartOptions, quickstart as run } from "../jobs/index.js";
import { chooseEngine } from "../runtime/index.js";
import type { TrainEvent } from "../train/index.js";
import { lineOf } from "./adapt.js";
import { type Context, command } from "./command.js";
import { machinePeak } from "./machine-peak.js";
import { follow } from "./terminal.js";

type Part<P extends QuickstartEvent["part"]> = Extract<QuickstartEvent, { part: P }>;

export const quickstart = command({
  options: quickstartOptions,
  examples: [
    { line: "npx plinth quickstart", why: "pre-train, adapt, compare with from scratch, and write the report" },
    { line: "npx plinth quickstart --fresh", why: "the same again from nothing" },
  ],
  async run(options, context) {
    const signal = context.interruptible();
    const peakGigaflops = await machinePeak("auto", options.threads);
    const events = run(options, { signal, note: context.note, peakGigaflops });
    context.note(`engine: ${(await chooseEngine("auto")).name}`);
    context.note("WordNet 3.1: definitions to read, and 26 categories of nouns to tell apart");
    for (let next = await events.next(); !next.done; ) {
      const event = next.value;
      if (event.part === "pretrain") {
        next = await showPretraining(event, events, context, peakGigaflops);
        continue;
      }
      show(event, context, options.out);
      next = await events.next();
    }
    return undefined;
  },
});

/** The events of the pre-training, as `plinth pretrain` shows them; what comes after them. */
async function showPretraining(
  first: Part<"pretrain">,
  events: AsyncGenerator<QuickstartEvent>,
  context: Context,
  peakGigaflops: number | undefined,
): Promise<IteratorResult<QuickstartEvent>> {
  context.note("\n1. pre-training a small GPT on definitions (Ctrl-C saves it; the same command goes on)");
  let next: IteratorResult<QuickstartEvent> = { value: first };
  async function* training(): AsyncGenerator<TrainEvent> {
    for (; !next.done && next.value.part === "pretrain"; next = await events.next()) yield next.value.event;
  }
  const json = (event: TrainEvent): QuickstartEvent => ({ part: "pretrain", event });
  await follow(training(), context, { label: "pretrain", peakGigaflops, json });
  return next;
}

function show(event: Exclude<QuickstartEvent, Part<"pretrain">>, context: Context, out: string): void {
  if (context.json) return context.emit(event);
  if (event.part === "doctor") return context.note(doctorLine(event.report));
  if (event.part === "pretrained") {
    if (event.reused) context.note("1. the small GPT is pre-trained already");
    return;
  }
  if (event.part === "control") {
    if (event.event.type === "plan")
      context.note("\n2. adapting the model that travels with plinth, and the same network from scratch");
    if (event.event.type !== "done") context.note(lineOf(event.event));
    return;
  }
  const found = efficiency(event.curve);
  for (const table of factTables(event.facts)) context.print(`${renderTable(table, { width: context.width })}\n`);
  context.print(`${headline(found)}\n${summary(found)}`);
  const next = suggestions(out).map((line) => `  ${line}`);
  context.print([`\nthe report: ${resolve(context.cwd, event.path)}`, "\nnext:", ...next].join("\n"));
}

const doctorLine = ({ splits, findings }: Part<"doctor">["report"]): string => {
  const sides = Object.entries(splits).map(([name, { examples }]) => `${examples.toLocaleString("en-US")} ${name}`);
  const errors = findings.filter((f) => f.severity === "error").length;
  return `doctor: ${sides.join(", ")}; ${errors} errors, ${findings.length - errors} warnings (npx plinth doctor wordnet:categories)`;
};

/** What to do after a quickstart into `out`: lines that work as printed. */
export const suggestions = (out: string): string[] => {
  const beside = (name: string) => quoted(join(dirname(out), name));
  return [
    `npx plinth generate "a small" --model ${quoted(join(out, "gpt"))}`,
    `npx plinth adapt wordnet:categories --examples 1024 --overflow truncate --out ${beside("categories")}`,
    `npx plinth predict "a large cat that hunts at night" --model ${beside("categories")}`,
    `npx plinth adapt --data my.csv --out ${beside("mine")} # a column text, a column label`,
  ];
};

/** A path as one word of a shell line. */
const quoted = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
