import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { network, toyJob } from "../../test/toy.js";
import { toyRun } from "../../test/toy-run.js";
import type { Type } from "../ir/index.js";
import { adamw, training } from "../optim/index.js";
import { type PreflightOptions, preflight, requireFits, shortages } from "./index.js";

const folder = temporary("plinth-preflight-");
const programs = training(network(16, 8).objective, adamw());
/** The toy's needs, with one more weight of so many numbers that changes too. */
function needs(numbers: number): PreflightOptions {
  const types = new Map<string, Type>([
    ...toyJob().state,
    ...programs.state,
    ["more", { dtype: "f32", shape: [numbers] }],
  ]);
  return { training: programs, accumulation: 1, state: types, changing: types, keep: 2, best: true, folder: folder() };
}

test("memory, disk and time are predicted from the programs alone", async () => {
  const [small, large] = [await preflight(needs(0)), await preflight({ ...needs(1e6), peakGflops: 100 })];
  expect(large.memory - small.memory).toBe(3 * 4e6);
  expect(large.disk - small.disk).toBe(3 * 4e6);
  expect(small.memoryAvailable).toBeGreaterThan(1e7);
  expect(small.millisecondsPerStep).toBeUndefined();
  expect(large.millisecondsPerStep).toBeCloseTo(large.flopsPerStep / 100e6 / 0.5);
  expect(shortages(small)).toEqual([]);
});

test("a run that cannot fit stops before its first step and says what is short", async () => {
  const predicted = await preflight(needs(1e15));
  expect(() => requireFits(predicted)).toThrow(
    /^a step would need about 12000000\.\d GB of memory, \d+\.\d GB are available/,
  );
  expect(shortages(predicted).map(({ code }) => code)).toEqual(["memory", "disk"]);
  expect(() => requireFits({ ...predicted, memory: 0 })).toThrow(
    /^checkpoints and the model would need 12000000\.\d GB on disk/,
  );
});

test("a run's prediction is in its first event", async () => {
  const { events } = await toyRun(join(folder(), "run"), { steps: 1, until: 1 });
  expect(events[0]).toMatchObject({
    type: "started",
    flopsPerStep: expect.any(Number),
    preflight: { memory: expect.any(Number) },
  });
});
