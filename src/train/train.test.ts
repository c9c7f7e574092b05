import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { toyJob } from "../../test/toy.js";
import type { Nd } from "../ir/index.js";
import { reference, type Session } from "../runtime/index.js";
import { type Job, openRun, type TrainEvent, train } from "./index.js";

const settings = { config: { kind: "toy" }, seeds: { run: 7 }, data: { squares: "5" } };
const folder = temporary("plinth-train-");

async function run(name: string, options: Partial<Job> = {}) {
  await using open = await openRun(join(folder(), name), settings, { mode: "resume" });
  const events: TrainEvent[] = [];
  let weights = new Map<string, Nd>();
  const save = async (session: Session) => {
    weights = new Map(await Promise.all(session.names().map(async (n) => [n, await session.read(n)] as const)));
  };
  for await (const event of train({ ...toyJob(), engine: reference, save, folder: open, ...options }))
    events.push(event);
  return { events, weights, path: open.path };
}
const kinds = (events: readonly TrainEvent[]) => events.map(({ type, step }) => `${type} ${step}`);
const losses = (events: readonly TrainEvent[]) => events.flatMap((e) => (e.type === "step" ? [e.loss] : []));

test("training lowers the loss and tells what happened in order", async () => {
  const { events, path } = await run("falls", { steps: 20, every: { save: 10 } });
  const all = losses(events);
  expect(all).toHaveLength(20);
  expect(all.at(-1)!).toBeLessThan(all[0]! * 0.8);
  expect(kinds(events).filter((k) => !k.startsWith("step"))).toEqual([
    "started 0",
    "saved 10",
    "saved 20",
    "stopped 20",
  ]);
  expect(await readdir(join(path, "checkpoints"))).toEqual(["step-00000010.safetensors", "step-00000020.safetensors"]);
  const log = (await readFile(join(path, "events.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(log.map(({ time, ...event }) => event)).toEqual(JSON.parse(JSON.stringify(events)));
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
