import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { random } from "../src/data/index.js";
import { built } from "./built.js";
import { temporary } from "./temporary.js";

const folder = temporary("plinth-resume-");

interface Child {
  readonly process: ChildProcess;
  /** Resolves with the exit code, null when killed. */
  readonly ended: Promise<number | null>;
  readonly lines: string[];
}
function start(script: string, args: readonly string[], onLine: (line: string) => void): Child {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  createInterface(child.stdout!).on("line", (line) => {
    lines.push(line);
    onLine(line);
  });
  return { process: child, lines, ended: once(child, "close").then(([code]) => code as number | null) };
}

const stepsIn = (path: string): number[] =>
  readFileSync(join(path, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; step: number })
    .filter(({ type }) => type === "step")
    .map(({ step }) => step);

test("a run killed at random moments, again and again, ends with the same bits as one left alone", async () => {
  const script = built(folder(), "resume-child.ts", "toy.ts");
  const [whole, broken] = [join(folder(), "whole"), join(folder(), "broken")];
  const args = ["ort", "2"];
  expect(await start(script, [whole, ...args], () => {}).ended).toBe(0);

  const { below } = random(11);
  let kills = 0;
  for (let code: number | null = null; code === null; ) {
    // at a random event, and up to 12 ms after it: in a step, a score, the middle of a save
    let left = kills < 7 ? 1 + below(12) : Number.POSITIVE_INFINITY;
    const child = start(script, [broken, ...args], () => {
      if (--left === 0) setTimeout(() => child.process.kill("SIGKILL"), below(13));
    });
    code = await child.ended;
    if (code === null) kills++;
  }
  expect(kills).toBeGreaterThanOrEqual(4);
  expect(readFileSync(join(broken, "model.txt"), "utf8") === readFileSync(join(whole, "model.txt"), "utf8")).toBe(true);
  expect(stepsIn(broken)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  expect(readdirSync(join(broken, "checkpoints"))).toEqual(readdirSync(join(whole, "checkpoints")));
  expect(readdirSync(broken).sort()).toEqual(["checkpoints", "events.jsonl", "model.txt", "run.json"]);
});
