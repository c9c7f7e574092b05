/** Profiles: times that add up, lines of the model, and who holds the memory. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { traced } from "../../src/ir/index.js";
import { profile } from "../../src/jobs/index.js";
import { flops } from "../../src/passes/index.js";
import { native, peaks, reference } from "../../src/runtime/index.js";
import { feeds, step } from "./model.js";

const present = (await native.probe()).available;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

test.runIf(present)("each instruction has its time, its ops and its line; together they are the program", async () => {
  const { program, state } = traced(step);
  await using session = await native.open(state, { threads: 1 });
  const { instructions, milliseconds } = await session.profile!(program, feeds(1), { runs: 5 });
  const nanoseconds = sum(instructions.map((i) => i.nanoseconds));
  expect(nanoseconds / 1e6).toBeLessThan(1.2 * milliseconds);
  expect(nanoseconds / 1e6).toBeGreaterThan(0.2 * milliseconds);
  // folding saves some arithmetic, computing again costs some
  const counted = sum(instructions.map((i) => i.flops));
  expect(Math.abs(counted / flops(program) - 1)).toBeLessThan(0.15);
  const product = instructions.find(({ kernel, ops }) => kernel === "matmul" && ops.includes("add"))!;
  expect(product.at).toMatch(/^src\/models\/gpt\.ts:\d+$/);
  expect(Math.min(product.bytesRead, product.bytesWritten)).toBeGreaterThan(0);
});

test.runIf(present)("a profiled step is a step: once unmeasured, and each run", async () => {
  const { program, state } = step();
  const ended = async (run: (session: Awaited<ReturnType<typeof native.open>>) => Promise<unknown>) => {
    await using session = await native.open(state, { threads: 1 });
    await run(session);
    return session.read("h.0.mlp.c_fc.weight");
  };
  const profiled = await ended((session) => session.profile!(program, feeds(1), { runs: 2 }));
  const trained = await ended(async (session) => {
    for (let i = 0; i < 3; i++) await session.run(program, feeds(1));
  });
  expect(profiled).toEqual(trained);
});

test.runIf(present)("what is held at the peak adds up to it, and fits the arena", async () => {
  const { program, state } = traced(step);
  await using session = await native.open(state, { threads: 1 });
  const { memory, instructions } = await session.profile!(program, feeds(1), { runs: 1 });
  expect(sum(memory.held.map(({ bytes }) => bytes))).toBe(memory.peakBytes);
  expect(memory.peakBytes).toBeLessThanOrEqual(memory.arenaBytes);
  expect(memory.peakAt).toBeLessThan(instructions.length);
  expect(memory.held[0]!.bytes).toBeGreaterThanOrEqual(memory.held.at(-1)!.bytes);
  for (const { bytes, shape } of memory.held.slice(0, 5)) expect(4 * shape.reduce((a, b) => a * b, 1)).toBe(bytes);
  expect(memory.stateBytes).toBe(sum([...state.values()].map(({ data }) => data.byteLength)));
});

const small = { contextLength: 32, batchSize: 2, threads: 1, runs: 3 };
test.runIf(present).each(["gpt-0.3m", "bert-tiny"])(
  "a step of %s is told by the lines of its family",
  async (preset) => {
    const found = await profile({ preset, ...small });
    const family = preset.split("-")[0];
    // which of the two is the larger depends on the machine's memory
    const [line] = found.lines.filter(({ name }) => name !== "the update");
    expect(line!.name).toMatch(new RegExp(`^src/(models/${family}|tasks/language-modelling)\\.ts:\\d+$`));
    expect(found.lines.map(({ name }) => name)).toContain("the update");
    for (const rows of [found.ops, found.lines]) expect(sum(rows.map(({ share }) => share))).toBeCloseTo(1);
    expect(sum(found.ops.map((r) => r.milliseconds))).toBeCloseTo(sum(found.lines.map((r) => r.milliseconds)));
    expect(found.tokensPerSecond).toBeCloseTo((2 * 32 * 1000) / found.milliseconds);
  },
);

test.runIf(present)("a machine's peaks are speeds", async () => {
  const { gigaflops, gigabytes } = await peaks(1);
  expect(gigaflops).toBeGreaterThan(1);
  expect(gigabytes).toBeGreaterThan(0.1);
});

test("an engine that keeps no times has no profile", async () => {
  await using session = await reference.open(new Map());
  expect(session.profile).toBeUndefined();
});

test("the command prints three tables, or says what is missing", () => {
  const program = fileURLToPath(new URL("../../bin/plinth.js", import.meta.url));
  const words = "profile --preset gpt-0.3m --context-length 32 --batch-size 2 --threads 1 --runs 2".split(" ");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
  if (!present) {
    expect(status).toBe(2);
    expect(stderr).toMatch(/^plinth: (not built|not installed|there is no native engine)/);
    return;
  }
  expect(stderr).toBe("");
  expect(stdout).toMatch(/step {15}[\d.]+ ms, 2 × 32 random tokens, 1 thread\n/);
  expect(stdout).toMatch(/^matmul +\d+ +[\d.]+ +[\d.]+ % +[\d.]+ +[\d.]+$/m);
  expect(stdout).toMatch(/^dist\/models\/gpt\.js:\d+ +\d+ +[\d.]+ +[\d.]+ %/m);
  expect(stdout).toMatch(/^memory: [\d.]+ MB for a run's values, [\d.]+ MB of weights and optimiser$/m);
});
