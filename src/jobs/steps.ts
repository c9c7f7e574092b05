/** How long a run is: told in steps, in passes over the data, or in minutes on this machine. */
import { fail, inputs, type Nd, nameOf, nd, type Program } from "../ir/index.js";
import type { Engine, State } from "../runtime/index.js";
import { readRun } from "../train/index.js";
import type { LanguageOptions, LanguageRun } from "./language-run.js";

interface Before {
  readonly engine: Engine;
  /** First weights. */
  readonly state: State;
}

/** How many steps the run has: as told, or passes over the data, or as many as fit the minutes; of a resumed run, as before; `otherwise` epochs or steps. */
export async function stepsOf(
  run: LanguageRun,
  o: LanguageOptions,
  start: Before & { readonly otherwise: number },
): Promise<number> {
  if (o.resume) {
    const known = await readRun(o.out).catch(() => undefined);
    const steps = known?.config["steps"];
    if (typeof steps === "number") return steps;
  }
  if ([o.steps, o.epochs, o.minutes].filter((x) => x !== undefined).length > 1)
    throw fail("config", "steps, epochs and minutes are three ways to say one thing", "give one of them");
  const epochs = (passes: number) => Math.max(1, Math.ceil((passes * run.data.perEpoch) / o.accumulation));
  if (o.epochs !== undefined) return epochs(o.epochs);
  if (o.minutes === undefined) return o.steps ?? start.otherwise;
  const seconds = (await secondsPerBatch(run, o, start)) * o.accumulation;
  return Math.max(10, Math.floor((o.minutes * 60) / seconds));
}

/** Seconds of one batch, forward, backward and update: the median of a few, on weights that are thrown away. */
async function secondsPerBatch(
  { learning, data }: LanguageRun,
  { threads, memory }: LanguageOptions,
  { engine, state }: Before,
): Promise<number> {
  await using session = await engine.open(new Map([...learning.state, ...state]), {
    threads,
    memory: memory && memory * 1e6,
  });
  const clock = { learningRate: nd("f32", [], 1e-9), step: nd("f32", [], 1), seed: nd("u32", [], 0) };
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const { feeds } = await data.at(i);
    const from = performance.now();
    await session.run(learning.step, chosen(learning.step, { ...feeds, ...clock }));
    times.push((performance.now() - from) / 1000);
  }
  return times.slice(2).sort((a, b) => a - b)[2]!;
}

/** Those values that a program reads. */
const chosen = (program: Program, all: Readonly<Record<string, Nd>>): Record<string, Nd> =>
  Object.fromEntries(inputs(program).map((t) => [nameOf(t), all[nameOf(t)]!]));
