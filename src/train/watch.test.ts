import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { squares, toyJob } from "../../test/toy.js";
import { kinds, toyRun } from "../../test/toy-run.js";
import type { Batches } from "../data/index.js";
import { f32, input, nd, param } from "../ir/index.js";
import { openSafetensors } from "../models/index.js";
import { initialise, normal, ones, zeros } from "../nn/index.js";
import { adamw, type Objective, training } from "../optim/index.js";
import { ort, reference } from "../runtime/index.js";
import { readEvents } from "./index.js";

const folder = temporary("plinth-watch-");
const run = (name: string, options: Parameters<typeof toyRun>[1] = {}) => toyRun(join(folder(), name), options);

/** The squares, with one value of batch `at` replaced. */
function spoilt(index: number, value: number): Batches {
  const { at, perEpoch } = squares(16);
  return {
    perEpoch,
    async at(i) {
      const batch = await at(i);
      if (i === index) batch.feeds["x"]!.data[5] = value;
      return batch;
    },
  };
}

test("the first loss that is not finite stops the run, names step and cause, keeps the batch and what was saved", async () => {
  const batches = spoilt(6, Number.NaN);
  const failed = run("nan", { batches, every: { save: 4 } });
  await expect(failed).rejects.toMatchObject({ code: "non-finite" });
  await expect(failed).rejects.toThrow("step 7: loss NaN, gradient norm NaN; the data in x is not finite");
  const path = join(folder(), "nan");
  expect(await readdir(join(path, "checkpoints"))).toEqual(["step-00000004.safetensors"]);
  await using file = await openSafetensors(join(path, "non-finite-step-7.safetensors"));
  expect(Number.isNaN((await file.read("x")).data[5])).toBe(true);
  expect(JSON.parse(file.metadata["ids"]!)).toContain("6:0");
  expect(kinds(await readEvents(path)).slice(-2)).toEqual(["step 6", "failed 6"]);

  const mended = await run("nan", { every: { save: 4 } });
  expect(mended.weights).toEqual((await run("not-nan")).weights);
});

test("a gradient that overflows is named by its tensor", async () => {
  const x = input("x", f32([16, 2]));
  const y = x.matmul(param("w", [2, 1], zeros)).add(param("b", [1], zeros));
  const programs = training({ sum: y.sum(), count: input("weights", f32([16])).sum() }, adamw());
  const state = initialise(programs.trainable, 1);
  const failed = run("overflow", { engine: ort, batches: spoilt(0, 3e38), training: programs, state });
  await expect(failed).rejects.toMatchObject({ code: "non-finite", at: "w" });
  await expect(failed).rejects.toThrow(
    "step 1: loss 0, gradient norm Infinity; the gradient is not finite in w; it begins in",
  );
});

test("where numbers cease to be finite is found on every engine, also within an accumulated step", async () => {
  const x = input("x", f32([16, 2]));
  const y = x
    .matmul(param("w", [2, 1], ones))
    .exp()
    .mul(param("b", [1], ones));
  const programs = training({ sum: y.sum(), count: input("weights", f32([16])).sum() }, adamw());
  const state = initialise(programs.trainable, 1);
  for (const engine of [reference, ort])
    for (const accumulation of [1, 2]) {
      const options = {
        engine,
        accumulation,
        batches: spoilt(1, 1000),
        training: programs,
        state,
        schedule: () => 1e-3,
      };
      await expect(run(`exp-${engine.name}-${accumulation}`, options)).rejects.toMatchObject({
        code: "non-finite",
        what: expect.stringMatching(/loss Infinity.*; it begins in exp f32\[16,1\], computed from w$/),
      });
    }
});

test("a checkpoint with a weight that is not finite is refused, and the one before stays", async () => {
  const { state } = toyJob();
  const bad = new Map([...state, ["optimizer.head.bias.v", nd("f32", [2], [0, Number.POSITIVE_INFINITY])]]);
  // an infinite second moment makes no update, so that losses stay finite
  await expect(run("infinite", { state: bad })).rejects.toMatchObject({
    code: "non-finite",
    at: "optimizer.head.bias.v",
  });
  expect(await readdir(join(folder(), "infinite/checkpoints"))).toEqual([]);
});

/** Fits y = x w, with a second parameter that joins by `join`. */
function line(join: (w: ReturnType<typeof param>, other: ReturnType<typeof param>) => ReturnType<typeof param>) {
  const x = input("x", f32([16, 2]));
  const w = join(param("w", [2, 3], normal(0.5)), param("other", [3], zeros));
  const objective: Objective = { sum: x.matmul(w).sub(1).square().sum(), count: input("weights", f32([16])).sum() };
  const programs = training(objective, adamw());
  return { training: programs, state: initialise(programs.trainable, 1) };
}

test("a trainable parameter that the loss does not feel is an error that names it", async () => {
  await expect(
    run(
      "dead",
      line((w, other) => w.add(other.mul(0))),
    ),
  ).rejects.toMatchObject({
    code: "no-gradient",
    what: "1 trainable tensors get no gradient in 3 steps: other",
  });
});

test("factors that start at zero, as LoRA's do, are given the steps they need", async () => {
  const x = input("x", f32([16, 2]));
  const delta = param("a", [2, 2], normal(0.5)).matmul(param("b", [2, 3], zeros));
  const objective: Objective = { sum: x.matmul(delta).sub(1).square().sum(), count: input("weights", f32([16])).sum() };
  const programs = training(objective, adamw());
  const { events } = await run("lora", { training: programs, state: initialise(programs.trainable, 1) });
  expect(events.at(-1)).toMatchObject({ type: "stopped", reason: "finished" });
});

test("parameters that have gradients and do not move are an error", async () => {
  const steps = 80;
  await expect(run("still", { ...line((w, o) => w.add(o)), steps, schedule: () => 1e-30 })).rejects.toMatchObject({
    code: "no-gradient",
    what: "1 trainable tensors do not move in 64 steps: w",
  });
});
