/** curve.json: an adaptation and its control from scratch, at several sizes and seeds, with the cost of every score. */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { fail } from "../ir/index.js";
import { makeFolder, replaceFile } from "../models/index.js";

/** What training has spent so far. Evaluations, samples and checkpoints are not in it. */
export interface Cost {
  /** Labelled examples (pre-training: rows) seen, repeats included. */
  readonly examples: number;
  /** Tokens trained on, repeats included, padding excluded. */
  readonly tokens: number;
  /** Floating-point operations, counted from the graph. */
  readonly flops: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
  readonly joules: number;
}

/** The score at one moment of training and what it had cost until then. Step 0 costs nothing. */
export interface Point extends Cost {
  readonly step: number;
  /** The curve's metric on held-out examples: the same ones for both arms. */
  readonly score: number;
  /** Training loss in nats, averaged since the point before. */
  readonly loss?: number;
}

/** A pre-trained network that is adapted, or the same network from random weights. */
export type Arm = "adapted" | "scratch";

/** One training run of one arm. */
export interface ArmRun {
  readonly arm: Arm;
  /** Distinct labelled examples it could learn from. */
  readonly size: number;
  /** Runs of one size and seed share the labelled examples: they are a pair. */
  readonly seed: number;
  readonly learningRate: number;
  readonly trainableParameters: number;
  readonly steps: number;
  /** The curve's metric of the kept weights, on the test examples. */
  readonly score: number;
  /** Every test metric by name, e.g. `{ accuracy, macroF1, loss }`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Evaluations along training, in order. */
  readonly points: readonly Point[];
  /** What the whole run spent. */
  readonly cost: Cost;
  /** Peak resident memory of the process, bytes. */
  readonly peakBytes?: number;
  /** The run's folder, relative to curve.json. */
  readonly folder?: string;
}

/** What the adapted network's pre-training cost, once. */
export interface Pretraining extends Cost {
  /** The model, as the user names it. */
  readonly name: string;
  readonly parameters: number;
  /** The data it was trained on, in words. */
  readonly data?: string;
  /** The machine it was trained on, in words. */
  readonly machine?: string;
  /** Loss along pre-training. */
  readonly losses?: readonly { readonly step: number; readonly loss: number; readonly validation?: number }[];
}

/** How joules were found: read from the processor's counters, or processor seconds times stated watts. */
export interface EnergySource {
  readonly measured: boolean;
  /** In words, for the report: "RAPL package-0", "estimated: 6 W per busy core". */
  readonly how: string;
}

/** Sizes × seeds × arms, and everything a report says about them. */
export interface Curve {
  readonly format: "plinth-curve/1";
  /** The task, e.g. "text-classification". */
  readonly task: string;
  /** What is learnt from what, in words: "26 categories of WordNet nouns". */
  readonly data: string;
  /** The adaptation method, e.g. "full", "frozen", "lora". */
  readonly method: string;
  readonly metric: { readonly name: string; readonly goal: "max" | "min" };
  /** Labels there are to tell apart, where the task has labels: the score of guessing is about 1 ÷ classes. */
  readonly classes?: number;
  /** The test score of always answering with the most frequent label. */
  readonly baseline?: number;
  /** Number of test and validation examples behind each score. */
  readonly tested: { readonly test: number; readonly validation: number };
  /** Parameters of the network, the same for both arms (a new head included). */
  readonly parameters: number;
  readonly runs: readonly ArmRun[];
  readonly pretraining?: Pretraining;
  readonly energy: EnergySource;
  /** The learning rates that were tried for each arm, and how the one used was chosen. */
  readonly tuning?: { readonly adapted: readonly number[]; readonly scratch: readonly number[]; readonly how: string };
}

const amount = z.number().nonnegative();
const cost = { examples: amount, tokens: amount, flops: amount, seconds: amount, joules: amount };
const armRun = z.object({
  arm: z.enum(["adapted", "scratch"]),
  size: z.number().positive(),
  seed: z.number(),
  learningRate: amount,
  trainableParameters: amount,
  steps: amount,
  score: z.number(),
  metrics: z.record(z.string(), z.number()),
  points: z.array(z.object({ ...cost, step: amount, score: z.number(), loss: z.number().exactOptional() })),
  cost: z.object(cost),
  peakBytes: amount.exactOptional(),
  folder: z.string().exactOptional(),
});
const schema: z.ZodType<Curve> = z.object({
  format: z.literal("plinth-curve/1"),
  task: z.string(),
  data: z.string(),
  method: z.string(),
  metric: z.object({ name: z.string(), goal: z.enum(["max", "min"]) }),
  classes: z.number().exactOptional(),
  baseline: z.number().exactOptional(),
  tested: z.object({ test: amount, validation: amount }),
  parameters: amount,
  runs: z.array(armRun),
  pretraining: z
    .object({
      ...cost,
      name: z.string(),
      parameters: amount,
      data: z.string().exactOptional(),
      machine: z.string().exactOptional(),
      losses: z
        .array(z.object({ step: amount, loss: z.number(), validation: z.number().exactOptional() }))
        .exactOptional(),
    })
    .exactOptional(),
  energy: z.object({ measured: z.boolean(), how: z.string() }),
  tuning: z.object({ adapted: z.array(z.number()), scratch: z.array(z.number()), how: z.string() }).exactOptional(),
});

/** The curve in a file. Throws `run` when it is missing or is not a curve, with the field that is wrong. */
export async function readCurve(path: string): Promise<Curve> {
  const text = await readFile(path, "utf8").catch((e: NodeJS.ErrnoException) => {
    throw fail("run", `cannot read ${path}: ${e.code}`, "write one with `plinth adapt --control`");
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (e) {
    throw fail("run", `${path} is not JSON: ${(e as Error).message}`, "run `plinth adapt --control` again");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw fail("run", `${path} is not a curve: ${issue.message}`, undefined, issue.path.join("."));
}

/** Write a curve whole, its folder too. Throws `run` on a number that is not finite, `disk` where it cannot be written. */
export async function writeCurve(path: string, curve: Curve): Promise<void> {
  const parsed = schema.safeParse(curve);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw fail("run", `this curve cannot be saved: ${issue.message}`, undefined, issue.path.join("."));
  }
  await makeFolder(dirname(path));
  await replaceFile(path, `${JSON.stringify(curve)}\n`);
}
