import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { type ControlEvent, control, pretrain } from "./index.js";

const folder = temporary("plinth-control-");
const at = (name: string) => join(folder(), name);
const words = { animal: ["cat", "dog", "wolf"], food: ["bread", "soup", "rice"] };
const rows = Array.from({ length: 60 }, (_, i) =>
  (["animal", "food"] as const).map((label) => ({ text: `the ${words[label][i % 3]} number ${i} is here`, label })),
).flat();
const write = (name: string, lines: readonly object[]) =>
  writeFileSync(at(name), lines.map((line) => JSON.stringify(line)).join("\n"));

beforeAll(async () => {
  write("things.jsonl", rows);
  write("repeated.jsonl", [...rows, ...rows.slice(0, 40)]);
  const model = { layers: 1, heads: 2, hiddenSize: 16 };
  const options = { data: [at("things.jsonl")], out: at("base"), vocabSize: 200, contextLength: 32, model };
  for await (const _ of pretrain({ ...options, family: "bert", steps: 2, batchSize: 4 }));
});

const options = (out: string) => ({
  data: [at("things.jsonl")],
  base: at("base"),
  out: at(out),
  sizes: [8],
  seeds: 1,
  rates: [5e-3],
  steps: 8,
  evaluateExamples: 8,
  testExamples: 8,
});
const all = async (events: AsyncIterable<ControlEvent>): Promise<ControlEvent[]> => {
  const found: ControlEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
};
const kinds = (events: readonly ControlEvent[]) => events.map((e) => (e.type === "run" ? `run ${e.reused}` : e.type));

test("what the doctor warns of is told before a comparison begins", async () => {
  const events = await all(control({ ...options("warned"), data: [at("repeated.jsonl")], method: "head" }));
  const warnings = events.filter((e) => e.type === "warning");
  expect(warnings.map((e) => e.message).join("\n")).toContain("duplicate");
  expect(events.slice(0, warnings.length + 1).at(-1)?.type).toBe("plan");
});

test("replacing a comparison runs all of it again, and removes nothing that is not its own", async () => {
  const o = options("replaced");
  const made = ["plan", "tuned", "tuned", "run false", "run false", "done"];
  expect(kinds(await all(control(o)))).toEqual(made);
  mkdirSync(join(o.out, "runs", "mine"));
  for (const name of ["runs/mine/arm.json", "runs/adapted-8-1-1", "report.html", "notes.txt"])
    if (name.endsWith("-1")) mkdirSync(join(o.out, name));
    else writeFileSync(join(o.out, name), "mine");
  expect(kinds(await all(control({ ...o, replace: true, accumulation: 2 })))).toEqual(made);
  expect(readdirSync(o.out).sort()).toEqual(["curve.json", "notes.txt", "runs"]);
  expect(readdirSync(join(o.out, "runs")).sort()).toEqual(["adapted-8-1-0.005", "mine", "scratch-8-1-0.005"]);
});

test("a comparison is not written over a single run", async () => {
  const o = { ...options("base"), replace: true };
  await expect(all(control(o))).rejects.toMatchObject({
    code: "run",
    what: "this folder holds a run that is no comparison",
    at: at("base"),
  });
  expect(existsSync(at("base/model"))).toBe(true);
});

test("two comparisons cannot work in one folder", async () => {
  const o = options("locked");
  const first = control(o);
  expect((await first.next()).value?.type).toBe("plan");
  await expect(all(control({ ...o, replace: true }))).rejects.toMatchObject({
    code: "run",
    message: expect.stringContaining(`another process (${process.pid})`),
  });
  await first.return(undefined);
  expect(readdirSync(o.out)).toEqual([]);
});

test("the last score of every run carries the run's whole work, counted from its first step", async () => {
  const o = { ...options("charged"), seeds: 2, steps: 24 };
  const runs = (await all(control(o))).flatMap((e) => (e.type === "run" ? [e.run] : []));
  expect(runs.map((r) => r.arm)).toEqual(["adapted", "scratch", "adapted", "scratch"]);
  for (const { points, cost } of runs) expect(points.at(-1)).toMatchObject({ flops: cost.flops });
});
