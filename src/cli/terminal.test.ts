import { expect, test } from "vitest";
import type { TrainEvent } from "../train/index.js";
import { follow } from "./terminal.js";
import { openContext, type World } from "./world.js";

function screen(columns: number | undefined) {
  const said = { out: [] as string[], error: [] as string[] };
  const world: World = {
    cwd: "/",
    columns,
    out: (text) => void said.out.push(text),
    error: (text) => void said.error.push(text),
    onInterrupt: () => () => {},
    exit: () => {},
  };
  const text = { out: () => said.out.join(""), error: () => said.error.join("") };
  return { world, said: text };
}

const step = (n: number): TrainEvent => ({
  type: "step",
  step: n,
  loss: 5 / n,
  learningRate: 1e-3,
  tokens: 1024,
  tokensPerSecond: 5210.4,
  gradientNorm: 1,
  milliseconds: 200,
  waitShare: 0,
});
const flopsPerStep = 6.2e9;
const preflight = { memory: 3.1e8, memoryAvailable: 8e9, disk: 4.2e7, diskAvailable: 9e10, flopsPerStep };
const events: TrainEvent[] = [
  { type: "started", step: 0, parameters: 912_384, trainable: 912_384, steps: 4, flopsPerStep, preflight },
  step(1),
  step(2),
  { type: "score", step: 2, scores: { loss: 2.51234 }, best: true, milliseconds: 10 },
  { type: "sample", step: 2, text: "To be,\n or not" },
  step(3),
  { type: "saved", step: 3, path: "runs/a/checkpoints/3", bytes: 10_400_000, milliseconds: 5 },
  step(4),
  { type: "stopped", step: 4, reason: "finished", resultStep: 2, tokens: 4096, milliseconds: 800, untrained: 0 },
];
async function* stream() {
  yield* events;
}
const clock = () => {
  let time = 0;
  return () => (time += 1000);
};

test("without a terminal, plain lines come now and then", async () => {
  const { world, said } = screen(undefined);
  const { context } = openContext(world, []);
  const stopped = await follow(stream(), context, { label: "demo", peakGigaflops: 100, seconds: 5, now: clock() });
  expect(stopped?.reason).toBe("finished");
  expect(said.out()).toBe("");
  expect(said.error()).toMatchInlineSnapshot(`
    "912,384 parameters; 4 steps
    about 310 MB of memory, 42 MB on disk
    step 1/4  loss 5.000  5,120 tokens/s  31 % of peak  6 s left
    step 2  loss 2.512  (best so far)
    step 2  sample: To be, / or not
    step 3  saved runs/a/checkpoints/3 (10 MB)
    step 4/4  loss 1.806  5,120 tokens/s  31 % of peak
    finished at step 4: 4,096 tokens in 1 s; the weights of step 2 are kept, the best ones
    "
  `);
});

test("on a terminal one line is redrawn, never wider than the terminal", async () => {
  for (const columns of [40, 80, 140]) {
    const { world, said } = screen(columns);
    const { context, close } = openContext(world, []);
    await follow(stream(), context, { peakGigaflops: 100, label: "pretrain", now: clock() });
    close();
    const drawn = said
      .error()
      .split("\r\x1b[2K")
      .filter((line) => line && !line.includes("\n"));
    expect(drawn).toHaveLength(4);
    for (const line of drawn) expect(line.length).toBeLessThanOrEqual(columns - 1);
    if (columns === 140)
      expect(drawn[1]).toMatchInlineSnapshot(
        `"pretrain 2/4 ━━━━━━━━━━━━━━━─────────────── loss 2.500  5,120 tokens/s  31 % of peak  5 s left"`,
      );
    if (columns === 40) expect(drawn[1]).toMatchInlineSnapshot(`"pretrain 2/4 loss 2.500  5,120 tokens/s"`);
  }
});

test("under --json every event is a line of JSON and nothing else is on standard output", async () => {
  const { world, said } = screen(80);
  const { context } = openContext(world, ["--json"]);
  context.print("for people");
  await follow(stream(), context, { label: "demo" });
  expect(
    said
      .out()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(events);
});

test("under --json a command may say what an event is part of", async () => {
  const { world, said } = screen(80);
  const { context } = openContext(world, ["--json"]);
  await follow(stream(), context, { label: "demo", json: (event) => ({ part: "pretrain", event }) });
  const lines = said.out().trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(events.map((event) => ({ part: "pretrain", event })));
});

test("the first interruption asks the run to save, the second ends it", () => {
  const handlers: (() => void)[] = [];
  const codes: number[] = [];
  const { world, said } = screen(undefined);
  const listening: World = {
    ...world,
    onInterrupt(handler) {
      handlers.push(handler);
      return () => {};
    },
    exit: (code) => void codes.push(code),
  };
  const opened = openContext(listening, []);
  const signal = opened.context.interruptible();
  handlers[0]!();
  expect(signal.aborted).toBe(true);
  expect(opened.interrupted()).toBe(true);
  expect(said.error()).toMatchInlineSnapshot(`
    "stopping: a checkpoint is being saved (Ctrl-C again stops at once)
    "
  `);
  expect(codes).toEqual([]);
  handlers[0]!();
  expect(codes).toEqual([130]);

  openContext(listening, []).context.interruptible("the text ends here");
  handlers[1]!();
  expect(said.error()).toContain("stopping: the text ends here (");
});
