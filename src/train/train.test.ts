import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { squares, toyJob } from "../../test/toy.js";
import { kinds, losses, toyRun } from "../../test/toy-run.js";
import type { Batches } from "../data/index.js";
import { exact, nd } from "../ir/index.js";
import { openSafetensors } from "../models/index.js";
import { ort, reference } from "../runtime/index.js";
import { verifyResume } from "./index.js";

const folder = temporary("plinth-train-");
const run = (name: string, options: Parameters<typeof toyRun>[1] = {}) => toyRun(join(folder(), name), options);
const quiet = ["step", "started"];
const notable = (events: Parameters<typeof kinds>[0]) => kinds(events.filter(({ type }) => !quiet.includes(type)));

test("training lowers the loss and tells what happened in order", async () => {
  const { events, path } = await run("falls", { every: { save: 10 } });
  const all = losses(events);
  expect(all).toHaveLength(20);
  expect(all.at(-1)!).toBeLessThan(all[0]! * 0.8);
  expect(notable(events)).toEqual(["saved 10", "saved 20", "stopped 20"]);
  const log = (await readFile(join(path, "events.jsonl"), "utf8")).trim().split("\n");
  expect(log.map((line) => ({ ...JSON.parse(line), time: 0 }))).toEqual(
    events.map((event) => ({ ...JSON.parse(JSON.stringify(event)), time: 0 })),
  );
});

test("a run stopped at any step and started again ends with the same bits", async () => {
  for (const accumulation of [1, 2]) {
    const whole = await run(`whole-${accumulation}`, { accumulation });
    for (const until of [1, 7, 19]) {
      const name = `parts-${accumulation}-${until}`;
      const first = await run(name, { accumulation, until });
      expect(first.events.at(-1)).toMatchObject({ type: "stopped", reason: "interrupted", step: until });
      const second = await run(name, { accumulation });
      expect(second.events[0]).toMatchObject({ type: "started", step: until, resumedFrom: until });
      expect(second.weights).toEqual(whole.weights);
      expect([...losses(first.events), ...losses(second.events)]).toEqual(losses(whole.events));
    }
  }
});

test("scoring, sampling and saving leave the weights as they would be", async () => {
  const plain = await run("plain");
  const evaluate = async () => ({ score: 1 });
  const busy = await run("busy", { every: { evaluate: 3, sample: 4, save: 5 }, evaluate, sample: async () => "text" });
  expect(busy.weights).toEqual(plain.weights);
  expect(notable(busy.events).filter((k) => k.startsWith("sample"))).toEqual(
    [4, 8, 12, 16, 20].map((n) => `sample ${n}`),
  );
});

/** One row of the squares at a time, with a weight; the third of every four is not trained on. */
function weighted(rows: number): Batches {
  const single = squares(1);
  const at = async (index: number) => {
    const parts = await Promise.all(Array.from({ length: rows }, (_, i) => single.at(index * rows + i)));
    const weight = (i: number) => ((index * rows + i) % 4 === 2 ? 0 : 1);
    const all = (name: string) => parts.flatMap(({ feeds }) => [...exact(feeds[name]!).data]);
    const weights: number[] = parts.map((_, i) => weight(i));
    const feeds = {
      x: nd("f32", [rows, 2], all("x")),
      labels: nd("i32", [rows], all("labels")),
      weights: nd("f32", [rows], weights),
    };
    return {
      feeds,
      tokens: weights.reduce((a, b) => a + b, 0),
      examples: rows,
      untrained: weights.filter((w) => !w).length,
    };
  };
  return { at, perEpoch: 8 };
}

test("one batch of eight and eight batches of one take the same steps, although examples differ in trained tokens", async () => {
  const steps = 6;
  const sized = (rows: number, accumulation: number) => {
    const { training, state } = toyJob({ rows, dropout: 0, accumulation });
    return { training, state, batches: weighted(rows), accumulation, steps };
  };
  const [one, eight] = [await run("1x8", sized(8, 1)), await run("8x1", sized(1, 8))];
  losses(one.events).forEach((loss, i) => {
    expect(losses(eight.events)[i]).toBeCloseTo(loss, 6);
  });
  for (const [name, { data }] of one.weights)
    if (!name.startsWith("accumul") && !name.startsWith("optimizer"))
      [...data].forEach((w, i) => {
        expect(eight.weights.get(name)!.data[i]).toBeCloseTo(Number(w), 5); // f32, summed in another order
      });
  expect(one.events.at(-1)).toMatchObject({ type: "stopped", tokens: 36, untrained: 12 });
  expect(eight.events.at(-1)).toMatchObject({ type: "stopped", tokens: 36, untrained: 12 });
});

test("a step without a trained token is an error that names its examples", async () => {
  const { at, perEpoch } = squares(16);
  const empty: Batches = {
    perEpoch,
    at: async (index) => (index === 2 ? { ...(await at(index)), tokens: 0 } : at(index)),
  };
  await expect(run("untrained", { batches: empty })).rejects.toMatchObject({
    code: "labels",
    message: expect.stringContaining("step 3: no example in its batch has a trained token (2:0, 2:1, 2:2)"),
  });
});

test("aborting saves a checkpoint after the current step, and the run goes on from there", async () => {
  const stop = new AbortController();
  const { at, perEpoch } = squares(16);
  const batches: Batches = {
    perEpoch,
    at(index) {
      if (index === 5) stop.abort();
      return at(index);
    },
  };
  const first = await run("aborted", { batches, signal: stop.signal });
  const { step } = first.events.at(-1)!;
  expect(first.events.at(-1)).toMatchObject({ type: "stopped", reason: "interrupted" });
  expect(notable(first.events)).toEqual([`saved ${step}`, `stopped ${step}`]);
  expect(step).toBeLessThan(8);
  const second = await run("aborted");
  expect(second.weights).toEqual((await run("unaborted")).weights);
});

const bowl = (lowest: number) => async (_: unknown, step: number) => ({ loss: Math.abs(step - lowest) });

test("training stops when the score stays worse, and ends with the best weights", async () => {
  const early = { metric: "loss", goal: "min", patience: 3 } as const;
  const options = { evaluate: bowl(6), every: { evaluate: 2, save: 2 }, early, best: early, keep: 1 };
  const { events, weights, path } = await run("early", options);
  expect(events.at(-1)).toMatchObject({ type: "stopped", reason: "early", step: 12, resultStep: 6 });
  expect(await readdir(join(path, "checkpoints"))).toEqual(["best-00000006.safetensors", "step-00000012.safetensors"]);
  const at6 = await run("until-6", { until: 6 });
  await using checkpoint = await openSafetensors(join(at6.path, "checkpoints/step-00000006.safetensors"));
  for (const name of ["hidden.weight", "head.bias"]) expect(weights.get(name)).toEqual(await checkpoint.read(name));
});

test("early stopping and the best score are remembered across an interruption", async () => {
  const early = { metric: "loss", goal: "min", patience: 3 } as const;
  const options = { evaluate: bowl(6), every: { evaluate: 2 }, early, best: early };
  const whole = await run("patience-whole", options);
  for (const until of [5, 7, 11]) {
    await run(`patience-${until}`, { ...options, until });
    const second = await run(`patience-${until}`, options);
    expect(second.events.at(-1)).toMatchObject({ reason: "early", step: 12, resultStep: 6 });
    expect(second.weights).toEqual(whole.weights);
  }
});

test("without checkpoints a run ends with the same weights and leaves no file", async () => {
  const best = { metric: "loss", goal: "min" } as const;
  const options = { evaluate: bowl(6), every: { evaluate: 2, save: 4 }, best };
  const [without, kept] = [await run("keep-0", { ...options, keep: 0 }), await run("keep-2", options)];
  for (const name of ["hidden.weight", "head.bias"]) expect(without.weights.get(name)).toEqual(kept.weights.get(name));
  expect(await readdir(join(without.path, "checkpoints"))).toEqual([]);
  expect(notable(without.events).filter((kind) => kind.startsWith("saved"))).toEqual([]);
});

test("a run that has ended only writes its model again", async () => {
  const first = await run("ended");
  const again = await run("ended");
  expect(kinds(again.events)).toEqual(["started 20", "stopped 20"]);
  expect(again.weights).toEqual(first.weights);
});

test("a score that evaluate does not give is an error that lists those it gives", async () => {
  const evaluate = async () => ({ loss: 1, accuracy: 0.5 });
  await expect(run("no-score", { evaluate, best: { metric: "f1", goal: "max" } })).rejects.toThrow(
    "no score is called f1\n  help: evaluate gives loss, accuracy",
  );
});

test("time spent waiting for slow data is told", async () => {
  const { at, perEpoch } = squares(16);
  const slow: Batches = {
    perEpoch,
    async at(index) {
      await new Promise((done) => setTimeout(done, 30));
      return at(index);
    },
  };
  const { events } = await run("slow", { batches: slow, steps: 4 });
  for (const event of events) if (event.type === "step") expect(event.waitShare).toBeGreaterThan(0.5);
});

test("verify-resume finds a job exact on every engine, and one whose data moves not", async () => {
  for (const engine of [reference, ort]) {
    const found = await verifyResume({ ...toyJob(), engine }, { folder: join(folder(), "verify"), steps: 6 });
    expect(found).toMatchObject({ same: true, steps: 6, tensors: 12, different: [] });
  }
  let calls = 0;
  const { at, perEpoch } = squares(16);
  const moving: Batches = { perEpoch, at: () => at(calls++) };
  const found = await verifyResume(
    { ...toyJob(), engine: reference, batches: moving },
    { folder: join(folder(), "moving") },
  );
  expect(found.same).toBe(false);
  expect(found.different).toContain("hidden.weight");
});
