/** An adaptation and its control: the same network from scratch, at the same sizes and seeds, each with its own tuned learning rate. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Example } from "../data/index.js";
import { type Arm, type ArmRun, type Curve, openEnergyMeter, writeCurve } from "../evaluate/index.js";
import { fail, size } from "../ir/index.js";
import { makeFolder, replaceFile } from "../models/index.js";
import type { Training } from "../optim/index.js";
import { lock } from "../train/index.js";
import { type Approach, approach } from "./approach.js";
import { type ArmPlan, runArm } from "./arm.js";
import { type Classifying, classifying, held, subset } from "./classify.js";
import { type ControlOptions, controlOptions, type ResolvedControl } from "./control-options.js";
import type { Labelled } from "./labelled.js";
import { ruleOf } from "./optimizing.js";
import { optionsOf } from "./options.js";
import { pretrainingCost } from "./pretraining-cost.js";

/** What happens during a comparison. */
export type ControlEvent =
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "plan"; readonly runs: number; readonly sizes: readonly number[]; readonly labels: number }
  | {
      readonly type: "tuned";
      readonly arm: Arm;
      readonly learningRate: number;
      readonly tried: Readonly<Record<string, number>>;
    }
  | { readonly type: "run"; readonly done: number; readonly of: number; readonly run: ArmRun; readonly reused: boolean }
  | { readonly type: "interrupted" }
  | { readonly type: "done"; readonly curve: Curve };

export interface CompareControl {
  readonly signal?: AbortSignal;
  /** The examples, where they were read already with these options. */
  readonly labelled?: Labelled;
}

const arms = ["adapted", "scratch"] as const;

/**
 * Train both arms at every size and seed, on the same examples in the same order of sizes; curve.json and each run's record are in
 * the folder, and runs that are there already are not run again. Throws `run` for a folder that holds another kind of run, or that
 * another process is at work in.
 */
export async function* control(
  given: ControlOptions,
  { signal, labelled }: CompareControl = {},
): AsyncGenerator<ControlEvent> {
  const o = optionsOf(controlOptions, given);
  requireOwn(o.out);
  await using c = await classifying(o, labelled);
  await makeFolder(o.out);
  const release = await lock(join(o.out, "lock"));
  try {
    if (o.replace) await clear(o.out);
    for (const event of c.labelled.findings)
      if (event.type === "warning") yield { type: "warning", message: event.message };
    yield* compared(o, c, signal);
  } finally {
    await release();
  }
}

/** Refuse the folder of a single run: its report and a comparison's would lie over each other. Throws `run`. */
function requireOwn(out: string): void {
  if (!existsSync(join(out, "run.json"))) return;
  throw fail("run", "this folder holds a run that is no comparison", "choose another folder", out);
}

/** Of a comparison that is replaced only what a comparison writes is removed; other files and runs stay. */
async function clear(out: string): Promise<void> {
  const runs = join(out, "runs");
  const names = await readdir(runs).catch(() => []);
  for (const name of names.filter((name) => /^(adapted|scratch)-\d+-\d+-[\d.e+-]+$/.test(name)))
    await rm(join(runs, name), { recursive: true, force: true });
  await rmdir(runs).catch(() => undefined); // it holds something else, or was not there
  for (const name of ["curve.json", "report.html"]) await rm(join(out, name), { force: true });
}

async function* compared(
  o: ResolvedControl,
  c: Classifying,
  signal: AbortSignal | undefined,
): AsyncGenerator<ControlEvent> {
  const sizes = sizesOf(o, c.labelled.train.length);
  const lab = new Lab(o, c, signal);
  yield { type: "plan", runs: sizes.length * o.seeds * arms.length, sizes, labels: c.classes };
  const rates: Partial<Record<Arm, number>> = {};
  for (const arm of arms) {
    const tuned = await lab.tune(arm, sizes[Math.floor((sizes.length - 1) / 2)]!);
    if (!tuned) return yield { type: "interrupted" };
    rates[arm] = tuned.learningRate;
    yield { type: "tuned", arm, ...tuned };
  }
  const runs: ArmRun[] = [];
  for (const examples of sizes)
    for (let seed = 1; seed <= o.seeds; seed++)
      for (const arm of arms) {
        const found = await lab.run({ arm, size: examples, seed, learningRate: rates[arm]! });
        if (!found) return yield { type: "interrupted" };
        runs.push(found.run);
        yield { type: "run", done: runs.length, of: sizes.length * o.seeds * arms.length, ...found };
      }
  const curve = await curveOf(o, c, runs);
  await writeCurve(join(o.out, "curve.json"), curve);
  yield { type: "done", curve };
}

function sizesOf(o: ResolvedControl, available: number): number[] {
  const within = o.sizes.map((n) => Math.min(n, available));
  return [...new Set(within)].sort((a, b) => a - b);
}

/** Runs arms, or finds them done. */
class Lab {
  private readonly approaches: Readonly<Record<Arm, Approach>>;
  /** What has run in the shared session, and so is compiled. */
  private readonly compiled = new WeakSet<Training>();
  constructor(
    private readonly o: ResolvedControl,
    private readonly c: Classifying,
    private readonly signal: AbortSignal | undefined,
  ) {
    const { base, classes } = c;
    const scratch = { ...o, method: "full" as const, classes, rule: ruleOf(o) };
    this.approaches = { adapted: c.approach, scratch: o.method === "full" ? c.approach : approach(base, scratch) };
  }

  /** The rate with the best validation accuracy of one run each, with the first seed: the best of them is that seed's run. */
  async tune(arm: Arm, examples: number): Promise<{ learningRate: number; tried: Record<string, number> } | undefined> {
    const rates = arm === "adapted" && this.o.learningRate !== undefined ? [this.o.learningRate] : this.o.rates;
    if (rates.length === 1) return { learningRate: rates[0]!, tried: {} };
    const tried: Record<string, number> = {};
    for (const learningRate of rates) {
      const found = await this.run({ arm, size: examples, seed: 1, learningRate });
      if (!found) return undefined;
      tried[learningRate] = Math.max(...found.run.points.map((p) => p.score));
    }
    const best = Object.entries(tried).reduce((a, b) => (b[1] > a[1] ? b : a));
    return { learningRate: Number(best[0]), tried };
  }

  async run(
    plan: Pick<ArmPlan, "arm" | "size" | "seed" | "learningRate">,
  ): Promise<{ run: ArmRun; reused: boolean } | undefined> {
    const { o, c, signal } = this;
    const name = `${plan.arm}-${plan.size}-${plan.seed}-${plan.learningRate}`;
    const folder = join(o.out, "runs", name);
    const settled = join(folder, "arm.json");
    const key = keyOf(o, c);
    if (existsSync(settled)) {
      const { key: made, run } = JSON.parse(await readFile(settled, "utf8")) as { key: string; run: ArmRun };
      if (made === key) return { run, reused: true };
    }
    const examples = subset(c.labelled.train, plan.size, plan.seed);
    const { compiled } = this;
    const run = await runArm(o, c, {
      ...plan,
      approach: this.approaches[plan.arm],
      compiled,
      examples,
      folder,
      signal,
    });
    if (!run) return undefined;
    const kept = { ...run, folder: join("runs", name) };
    await replaceFile(settled, JSON.stringify({ key, run: kept }));
    return { run: kept, reused: false };
  }
}

/** Runs made under another key do not belong to this comparison. */
const keyOf = (
  { out: _, resume: __, replace: ___, sizes: ____, seeds: _____, rates: ______, ...o }: ResolvedControl,
  c: Classifying,
): string => JSON.stringify([o, c.labelled.hashes, c.baseHash, c.versions]);

/** The share of the most frequent label. */
function majority(examples: readonly Example[]): number {
  const counts = new Map<number, number>();
  for (const { label } of examples) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(0, ...counts.values()) / Math.max(1, examples.length);
}

async function curveOf(o: ResolvedControl, c: Classifying, runs: readonly ArmRun[]): Promise<Curve> {
  const pretraining = await pretrainingCost(o.base, c.base.path);
  const { labels, validation, test } = c.labelled;
  return {
    format: "plinth-curve/1",
    task: "text-classification",
    data: `${o.data.join(", ")}: ${labels.length} labels`,
    method: o.method,
    metric: { name: "accuracy", goal: "max" },
    classes: labels.length,
    baseline: majority(held(test, o.testExamples)),
    tested: {
      test: Math.min(test.length, o.testExamples),
      validation: Math.min(validation.length, o.evaluateExamples),
    },
    parameters: c.approach.weights.reduce((sum, t) => sum + size(t.shape), 0),
    runs,
    ...(pretraining && { pretraining }),
    energy: openEnergyMeter().source,
    tuning: {
      adapted: o.learningRate === undefined ? o.rates : [o.learningRate],
      scratch: o.rates,
      how: "the best validation accuracy of one run each, at the middle size with the first seed",
    },
  };
}
