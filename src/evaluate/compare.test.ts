import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { syntheticCurve } from "../../test/synthetic-curve.js";
import { openRun } from "../train/index.js";
import { compare } from "./compare.js";
import { writeCurve } from "./curve.js";
import { factTables } from "./report/tables.js";
import { reportHtml } from "./report.js";
import { renderTable } from "./table.js";

const root = mkdtempSync(join(tmpdir(), "compare-"));
const folder = (name: string) => join(root, name);
afterAll(() => rmSync(root, { recursive: true }));

async function writeRun(name: string, learningRate: number, end: "finished" | "failed" | "none"): Promise<void> {
  const config = { kind: "pretrain", threads: 2, family: "gpt", schedule: { learningRate } };
  const run = await openRun(folder(name), { config, seeds: { init: 3 }, data: { corpus: "abc" } });
  const common = { learningRate, tokensPerSecond: 1000, gradientNorm: 1, waitShare: 0 };
  const spent = { tokens: 400, milliseconds: 2000, untrained: 7 };
  for (const step of [1, 2, 3, 4])
    run.log.append({ type: "step", step, loss: 5 - step, tokens: 100, milliseconds: 500, ...common });
  run.log.append({ type: "score", step: 2, scores: { loss: 3 }, best: true, milliseconds: 9 });
  run.log.append({ type: "score", step: 4, scores: { loss: 3.5 }, best: false, milliseconds: 9 });
  run.log.append({ type: "sample", step: 4, text: "a tool" });
  if (end === "finished") run.log.append({ type: "stopped", step: 4, reason: "finished", resultStep: 2, ...spent });
  if (end === "failed") run.log.append({ type: "failed", step: 4, code: "non-finite", message: "NaN" });
  await run.log.sync();
  await run.close();
}

beforeAll(async () => {
  await writeRun("one", 0.001, "finished");
  await writeRun("two", 0.003, "failed");
  await writeRun("three", 0.003, "none");
  const curve = syntheticCurve();
  const [first, ...others] = curve.runs;
  await writeCurve(join(folder("study"), "curve.json"), {
    ...curve,
    runs: [{ ...first!, folder: "../one" }, ...others],
  });
  await writeCurve(join(folder("study2"), "curve.json"), syntheticCurve({ worth: 1, noise: 0.02 }));
});

test("a run's facts are those of its record and events, its result that of the weights it kept", async () => {
  const { runs } = await compare([folder("one")]);
  expect(runs![0]).toMatchObject({
    name: "one",
    purpose: "pretrain",
    model: "gpt",
    seed: 3,
    steps: 4,
    ended: "finished",
    result: { loss: 3 },
    cost: { tokens: 400, seconds: 2, joules: 48 },
    tokensPerSecond: 200,
    samples: [{ step: 4, text: "a tool" }],
    warnings: ["7 examples had no trained token: they taught nothing"],
  });
});

test("runs side by side say how each ended and in what they differ", async () => {
  const facts = await compare([folder("one"), folder("two"), folder("three")]);
  expect(facts.runs!.map((r) => r.ended)).toEqual(["finished", "failed: non-finite", "killed"]);
  expect(facts.tables![0]!.rows).toEqual([["schedule.learningRate", "0.001", "0.003", "0.003"]]);
  expect(facts.limits).toEqual(["The energy of single runs was not measured but estimated: seconds × threads × 12 W."]);
  expect(await reportHtml(facts)).toContain("3 runs side by side");
  expect(
    factTables(facts)
      .map((t) => renderTable(t))
      .join("\n"),
  ).toContain("schedule.learningRate");
});

test("one curve is told in full, several in a row each", async () => {
  const one = await compare([folder("study")]);
  expect(one.curve!.runs.length).toBe(18);
  expect(one.data!.map((d) => [d.use, d.examples])).toEqual([
    ["labelled", 1024],
    ["validation", 1000],
    ["test", 4000],
  ]);
  expect(one.environment!["processor"]).toContain("cores");
  const two = await compare([folder("study"), folder("study2")]);
  expect(two.curve).toBeUndefined();
  expect(factTables(two)[0]!.rows.map((r) => r.at(-1))).toEqual(["benefit", "no benefit"]);
  expect(await reportHtml(two)).toContain("no benefit");
});

test("a folder with neither is refused", async () => {
  mkdirSync(folder("empty"));
  await expect(compare([folder("empty")])).rejects.toThrow(/holds no run[\s\S]*at .*empty[\s\S]*help: name a folder/);
});
