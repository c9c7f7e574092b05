/** The quickstart from its first line to its report, as a user types it, on a small model and few labels. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { rows } from "../src/data/index.js";
import { type Curve, readCurve } from "../src/evaluate/index.js";
import { pretrain, type QuickstartEvent } from "../src/jobs/index.js";
import { temporary } from "./temporary.js";

const program = fileURLToPath(new URL("../bin/plinth.js", import.meta.url));
const folder = temporary("plinth-quickstart-whole-");
const at = (name: string) => join(folder(), name);
const plinth = (...words: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd: folder(),
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  expect(status, stderr).toBe(0);
  return { stdout, stderr };
};
const line =
  "quickstart --base base --out runs/q --minutes 0.01 --sizes 32 48 --seeds 3 --test-examples 64 --threads 1".split(
    " ",
  );
const runs = 2 * 3 * 2;

/** What lies in the folder: of an earlier quickstart, and of nobody's. */
const before = { "gpt/run.json": "{}", "adapt/curve.json": "{}", "report.html": "old", "notes.html": "mine" };

let first: { stdout: string; stderr: string };
let curve: Curve;

beforeAll(async () => {
  const lines: string[] = [];
  for await (const { fields } of rows("wordnet:categories")) if (lines.push(JSON.stringify(fields)) === 3000) break;
  writeFileSync(at("text.jsonl"), lines.join("\n"));
  const model = { layers: 1, heads: 2, hiddenSize: 32 };
  const shape = { family: "bert" as const, vocabSize: 1000, contextLength: 64, batchSize: 4, steps: 2, model };
  for await (const _ of pretrain({ data: [at("text.jsonl")], out: at("base"), ...shape }));
  for (const [name, text] of Object.entries(before)) {
    mkdirSync(dirname(at(`runs/q/${name}`)), { recursive: true });
    writeFileSync(at(`runs/q/${name}`), text);
  }
  first = plinth(...line, "--fresh");
  curve = await readCurve(at("runs/q/adapt/curve.json"));
}, 240_000);

test("--fresh throws away what a quickstart writes, and nothing else", () => {
  const now = Object.entries(before).map(([name, text]) => readFileSync(at(`runs/q/${name}`), "utf8") === text);
  expect(now).toEqual([false, false, false, true]);
});

test("it tells its three parts in order, and each run of the comparison once", () => {
  const { stderr } = first;
  const places = [
    "doctor: 65,994 train, ",
    "1. pre-training a small GPT",
    "2. adapting the model",
    // at the front of its line: a step may have these numbers too
    `\n${runs}/${runs} `,
  ].map((part) => stderr.indexOf(part));
  expect(Math.min(...places)).toBeGreaterThanOrEqual(0);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  const counted = [...stderr.matchAll(/^(\d+)\/(\d+) {2}(adapted|scratch)/gm)];
  expect(counted.map(([, done, of]) => `${done}/${of}`)).toEqual(
    Array.from({ length: runs }, (_, i) => `${i + 1}/${runs}`),
  );
});

test("its curve has every size, seed and side, with scores and costs that can be", () => {
  const found = curve.runs.map(({ arm, size, seed }) => `${arm} ${size} ${seed}`);
  const wanted = [32, 48].flatMap((size) =>
    [1, 2, 3].flatMap((seed) => ["adapted", "scratch"].map((arm) => `${arm} ${size} ${seed}`)),
  );
  expect(found.sort()).toEqual(wanted.sort());
  expect(curve).toMatchObject({
    classes: 26,
    metric: { name: "accuracy" },
    tested: { validation: 64, test: 64 },
  });
  for (const { score, points, cost, steps } of curve.runs) {
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThan(1);
    expect(points.length).toBeGreaterThanOrEqual(2);
    expect(points.at(-1)!.step).toBeLessThanOrEqual(steps);
    expect(cost.flops).toBeGreaterThan(0);
    expect(cost.seconds).toBeGreaterThan(0);
  }
});

test("both sides try every learning rate, and the best trial is the first seed's run", () => {
  for (const arm of ["adapted", "scratch"] as const) {
    const rates = new Set(curve.runs.filter((run) => run.arm === arm).map((run) => run.learningRate));
    expect(rates.size).toBe(1);
    expect(curve.tuning?.[arm]).toContain([...rates][0]);
    const told = new RegExp(`^\\d/${runs} {2}${arm} +32 examples, seed 1: .*\\(done before\\)$`, "m");
    expect(first.stderr).toMatch(told);
  }
});

test("it ends with a verdict, a report with plots, and lines to go on with", () => {
  const { stdout } = first;
  expect(stdout).toMatch(
    /^With 32 labelled examples the adapted network reaches accuracy 0\.\d+; .* \(medians of 3 seeds\)/m,
  );
  expect(stdout).toContain(`the report: ${at("runs/q/report.html")}`);
  expect(stdout).toContain("npx plinth predict");
  const report = readFileSync(at("runs/q/report.html"), "utf8");
  for (const part of ["<svg", "What pre-training saves", "65,994", "a small GPT, pre-trained here"])
    expect(report).toContain(part);
  expect(report).not.toMatch(/(src|href)="https?:/);
});

test("the GPT it leaves writes, and its runs are two lines of the list", () => {
  const { stdout } = plinth("generate", "a small", "--model", "runs/q/gpt", "--tokens", "5");
  expect(stdout).toMatch(/^a small./);
  const list = plinth("runs", "--json")
    .stdout.trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(list.map(({ name, kind, state }) => [name, kind, state]).sort()).toEqual([
    ["q/adapt", "comparison", "finished"],
    ["q/gpt", "pretrain", "finished"],
  ]);
  expect(list.find(({ name }) => name === "q/adapt")).toMatchObject({ runs: runs + 2 });
  expect(plinth("runs").stdout).toContain(`${runs + 2} runs`);
});

test("a second time it goes on where it was: nothing is trained again, the result is the same, told as JSON", async () => {
  const written = statSync(at("runs/q/gpt/model/model.safetensors")).mtimeMs;
  const { stdout } = plinth(...line, "--json");
  const events = stdout
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text) as QuickstartEvent);
  const parts = events.map(({ part }) => part).filter((part, i, all) => part !== all[i - 1]);
  expect(parts).toEqual(["doctor", "pretrained", "control", "report"]);
  expect(events).toContainEqual({ part: "pretrained", reused: true });
  const again = events.flatMap((e) => (e.part === "control" && e.event.type === "run" ? [e.event.reused] : []));
  expect(again).toEqual(Array(runs).fill(true));
  expect(statSync(at("runs/q/gpt/model/model.safetensors")).mtimeMs).toBe(written);
  expect(await readCurve(at("runs/q/adapt/curve.json"))).toEqual(curve);
  expect(existsSync(at("runs/q/report.html"))).toBe(true);
});
