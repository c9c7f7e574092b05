import { copyFile, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { toyJob } from "../../test/toy.js";
import { kinds, toyRun } from "../../test/toy-run.js";
import { nd } from "../ir/index.js";
import { openSafetensors } from "../models/index.js";
import { readEvents } from "./index.js";

const folder = temporary("plinth-checkpoint-");
const run = (name: string, options: Parameters<typeof toyRun>[1] = {}) => toyRun(join(folder(), name), options);
const every = { save: 5 };

/** Change one bit of a file's last numbers. */
async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[bytes.length - 9]! ^= 1;
  await writeFile(path, bytes);
}

test("a checkpoint has all that a run needs to go on: weights, optimiser, schedule, cursor, seed, scores", async () => {
  const best = { metric: "score", goal: "max" } as const;
  const evaluate = async (_: unknown, step: number) => ({ score: step });
  const { path } = await run("whole", {
    every: { save: 5, evaluate: 5 },
    best,
    early: { ...best, patience: 9 },
    evaluate,
    until: 5,
  });
  await using file = await openSafetensors(join(path, "checkpoints/step-00000005.safetensors"));
  expect([...file.tensors.keys()].sort()).toEqual(
    ["head.bias", "head.weight", "hidden.bias", "hidden.weight"]
      .flatMap((name) => [name, `optimizer.${name}.m`, `optimizer.${name}.v`])
      .sort(),
  );
  expect(JSON.parse(file.metadata["progress"]!)).toMatchObject({
    step: 5,
    cursor: 5,
    seed: 7,
    steps: 20,
    accumulation: 1,
    learningRate: toyJob().schedule(5),
    best: { step: 5, score: 5 },
    early: { best: { step: 5, score: 5 }, bad: 0 },
    tokens: 80,
  });
});

test("a damaged newest checkpoint is passed over with a warning, and the end is the same", async () => {
  const whole = await run("undamaged");
  const damages = {
    cut: (path: string) => truncate(path, 700),
    empty: (path: string) => truncate(path, 0),
    flipped: flip,
    foreign: (path: string) => writeFile(path, "PK\x03\x04 something else entirely"),
  };
  for (const [name, damage] of Object.entries(damages)) {
    const { path } = await run(name, { every, until: 10 });
    await damage(join(path, "checkpoints/step-00000010.safetensors"));
    const { events, weights } = await run(name, { every });
    expect(kinds(events).slice(0, 2)).toEqual(["warning 5", "started 5"]);
    expect(events[0]).toMatchObject({ message: expect.stringMatching(/step-00000010.*going on from step-00000005/s) });
    expect(weights).toEqual(whole.weights);
    const steps = (await readEvents(path)).filter(({ type }) => type === "step").map(({ step }) => step);
    expect(steps).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  }
});

test("when every checkpoint is damaged the run says so and touches nothing", async () => {
  const { path } = await run("ruined", { every, until: 10 });
  const checkpoints = join(path, "checkpoints");
  const names = await readdir(checkpoints);
  for (const name of names) await truncate(join(checkpoints, name), 100);
  await expect(run("ruined", { every })).rejects.toMatchObject({
    code: "checkpoint",
    message: expect.stringContaining("no checkpoint of this run can be used"),
  });
  expect(await readdir(checkpoints)).toEqual(names);
});

test("a checkpoint of another model is told with all that differs", async () => {
  const { path } = await run("wide", { ...toyJob({ width: 9 }), every, until: 5 });
  const failed = run("wide", { every });
  await expect(failed).rejects.toThrow("of another shape: head.weight is f32[9,2], the model has f32[8,2]");
  await expect(failed).rejects.toMatchObject({ code: "checkpoint", at: join(path, "checkpoints") });
});

test("a checkpoint of another run is refused with what differs: seed, accumulation, steps, frozen weights", async () => {
  await run("other", { every, until: 5 });
  await expect(run("other", { seed: 8 })).rejects.toThrow("the checkpoint belongs to another run: seed was 7, now 8");
  await expect(run("other", { steps: 30 })).rejects.toThrow("steps was 20, now 30");
  const frozen = new Map([...toyJob().state, ["frozen", nd("f32", [1], 1)]]);
  await expect(run("other", { state: frozen })).rejects.toThrow("the frozen weights differ");
});

test("the newest checkpoints are kept, and the best weights they refer to as long as they do", async () => {
  const evaluate = async (_: unknown, step: number) => ({ loss: Math.abs(step - 8) });
  const best = { metric: "loss", goal: "min" } as const;
  const options = { every: { save: 4, evaluate: 4 }, evaluate, best };
  const { path } = await run("kept", { ...options, until: 12 });
  const best8 = "best-00000008.safetensors";
  const files = () => readdir(join(path, "checkpoints"));
  expect(await files()).toEqual([best8, "step-00000008.safetensors", "step-00000012.safetensors"]);
  await run("kept", options);
  expect(await files()).toEqual([best8, "step-00000016.safetensors", "step-00000020.safetensors"]);
});

test("what a killed save left behind is not taken for a checkpoint, and goes with the next", async () => {
  const { path } = await run("left", { every, until: 5 });
  const at = (name: string) => join(path, "checkpoints", name);
  await copyFile(at("step-00000005.safetensors"), at("step-00000009.safetensors.tmp"));
  const { events } = await run("left", { every });
  expect(events[0]).toMatchObject({ type: "started", resumedFrom: 5 });
  expect(await readdir(join(path, "checkpoints"))).toEqual(["step-00000015.safetensors", "step-00000020.safetensors"]);
});

test("damaged best weights are noticed before a run goes on, and before a model is made of them", async () => {
  const evaluate = async (_: unknown, step: number) => ({ loss: Math.abs(step - 4) });
  const options = { every: { save: 4, evaluate: 4 }, evaluate, best: { metric: "loss", goal: "min" } as const };
  const best = "best-00000004.safetensors";
  const { path } = await run("best", { ...options, until: 8 });
  await flip(join(path, "checkpoints", best));
  const resumed = run("best", options);
  await expect(resumed).rejects.toMatchObject({ code: "checkpoint", message: expect.stringContaining(best) });

  const spoilt = async (_: unknown, step: number) => {
    if (step === 20) await flip(join(folder(), "spoilt/checkpoints", best));
    return evaluate(_, step);
  };
  const ended = run("spoilt", { ...options, evaluate: spoilt });
  await expect(ended).rejects.toMatchObject({ code: "checkpoint", message: expect.stringContaining("is damaged") });
});
