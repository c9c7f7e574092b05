/** The quickstart: pre-train, adapt, compare with from scratch, report; on text that travels with plinth. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DoctorReport } from "../data/index.js";
import { type Curve, compare, type ReportFacts, runFacts, writeReport } from "../evaluate/index.js";
import { readEvents, readRun, type TrainEvent } from "../train/index.js";
import { openBase } from "./base.js";
import { type ControlEvent, control } from "./control.js";
import { controlOptions, type ResolvedControl } from "./control-options.js";
import { readLabelled } from "./labelled.js";
import { optionsOf } from "./options.js";
import { pretrain } from "./pretrain.js";

const data = "wordnet:categories";

/** What `quickstart` takes. */
export const quickstartOptions = z.object({
  out: z.string().default("runs/quickstart").describe("the folder to write"),
  base: z.string().default("plinth-tiny-en").describe("the model that is adapted"),
  minutes: z.number().positive().default(0.7).describe("how long the small GPT is pre-trained"),
  sizes: z.array(z.int().positive()).default([64, 256, 1024]).describe("labelled definitions to learn from"),
  seeds: z.int().positive().default(3).describe("seeds at each size"),
  testExamples: z.int().positive().default(1500).describe("definitions that each run is tested on"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
  fresh: z.boolean().default(false).describe("throw away what an earlier quickstart did, in place of going on with it"),
});
export type QuickstartOptions = z.input<typeof quickstartOptions>;

/** What happens in a quickstart: its three parts, and what happens in each. */
export type QuickstartEvent =
  | { readonly part: "doctor"; readonly report: DoctorReport }
  | { readonly part: "pretrain"; readonly event: TrainEvent }
  | { readonly part: "pretrained"; readonly reused: boolean }
  | { readonly part: "control"; readonly event: ControlEvent }
  | { readonly part: "report"; readonly path: string; readonly curve: Curve; readonly facts: ReportFacts };

export interface QuickstartControl {
  readonly signal?: AbortSignal;
  readonly note?: (text: string) => void;
  readonly peakGigaflops?: number | undefined;
}

/** Run it, or go on with it where it was. Throws what its parts throw. */
export async function* quickstart(
  given: QuickstartOptions,
  hands: QuickstartControl = {},
): AsyncGenerator<QuickstartEvent> {
  const o = optionsOf(quickstartOptions, given);
  const at = { gpt: join(o.out, "gpt"), adapt: join(o.out, "adapt"), report: join(o.out, "report.html") };
  const { signal } = hands;
  const base = await openBase(o.base);
  // only what a quickstart writes: the folder may hold other things
  if (o.fresh) for (const path of Object.values(at)) await rm(path, { recursive: true, force: true });
  const comparison = compared(o, at.adapt);
  const labelled = await readLabelled(base, comparison);
  const { report } = labelled;
  yield { part: "doctor", report };
  yield* pretrained(o, at.gpt, hands);
  if (signal?.aborted) return;
  let curve: Curve | undefined;
  for await (const event of control(comparison, { labelled, ...(signal && { signal }) })) {
    yield { part: "control", event };
    if (event.type === "done") curve = event.curve;
  }
  if (!curve) return;
  const facts = await factsOf(at, report);
  await writeReport(at.report, facts);
  yield { part: "report", path: at.report, curve, facts };
}

/** A small GPT for about a minute, unless it is there already. */
async function* pretrained(
  o: z.output<typeof quickstartOptions>,
  out: string,
  hands: QuickstartControl,
): AsyncGenerator<QuickstartEvent> {
  const events = existsSync(join(out, "run.json")) ? await readEvents(out) : [];
  const stopped = events.findLast((e) => e.type === "stopped");
  if (stopped?.type === "stopped" && stopped.reason !== "interrupted")
    return yield { part: "pretrained", reused: true };
  const options = {
    data: ["wordnet:definitions"],
    out,
    preset: "gpt-1m",
    vocabSize: 4096,
    batchSize: 8,
    contextLength: 64,
    learningRate: 3e-3,
    minutes: o.minutes,
    prompt: "a small",
    evaluateBatches: 20,
    ...(o.threads !== undefined && { threads: o.threads }),
    resume: true,
  };
  for await (const event of pretrain(options, hands)) yield { part: "pretrain", event };
  yield { part: "pretrained", reused: false };
}

const compared = (o: z.output<typeof quickstartOptions>, out: string): ResolvedControl =>
  optionsOf(controlOptions, {
    data: [data],
    base: o.base,
    out,
    overflow: "truncate",
    // one definition in sixteen is longer
    contextLength: 32,
    epochs: 8,
    sizes: o.sizes,
    seeds: o.seeds,
    // 3e-4 takes twice the steps; from 2e-3 on, training from scratch ends lower with few labels and with many
    rates: [5e-4, 1e-3],
    evaluateExamples: Math.min(400, o.testExamples),
    testExamples: o.testExamples,
    ...(o.threads !== undefined && { threads: o.threads }),
  });

async function factsOf(
  { gpt, adapt }: { readonly gpt: string; readonly adapt: string },
  doctor: DoctorReport,
): Promise<ReportFacts> {
  const facts = await compare([adapt]);
  const run = runFacts("a small GPT, pre-trained here", await readRun(gpt), await readEvents(gpt), { folder: "gpt" });
  const sides = Object.entries(doctor.splits).map(([name, split]) => ({
    name: `WordNet nouns, ${name}`,
    use: name === "train" ? "labelled examples are drawn from it" : name,
    examples: split.examples,
    ...(split.length.unit === "tokens" && { tokens: split.length.total }),
  }));
  return {
    ...facts,
    title: "What pre-training saves: a first run",
    command: "npm run quickstart",
    runs: [run],
    data: sides,
    doctor,
  };
}
