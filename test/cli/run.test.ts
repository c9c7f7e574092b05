/** A language model from its text to its report, as a user types it: a real process of the built program. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { temporary } from "../temporary.js";

const program = fileURLToPath(new URL("../../bin/plinth.js", import.meta.url));
const folder = temporary("plinth-run-");
const plinth = (line: string, before = "") => {
  const shell = `${before}exec "$0" "$@"`;
  const words = line.split(" ").map((word) => word.replaceAll("_", " "));
  const { status, stdout, stderr } = spawnSync("bash", ["-c", shell, process.execPath, program, ...words], {
    cwd: folder(),
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};
const shape = "--tokenizer characters --context-length 32 --batch-size 8 --steps 30 --save-every 10 --threads 1";

beforeAll(() => {
  const rows = Array.from({ length: 400 }, (_, i) =>
    JSON.stringify({ text: `the cat number ${i % 40} is near the river` }),
  );
  writeFileSync(join(folder(), "text.jsonl"), rows.join("\n"));
  const { status, stderr } = plinth(`pretrain text.jsonl --size 2e4 ${shape} --out runs/first`);
  expect(status, stderr).toBe(0);
}, 60_000);

test("a run is a model that writes", () => {
  const said = plinth("generate --model runs/first --prompt the_cat --tokens 20");
  expect(said).toMatchObject({ status: 0, stderr: "" });
  expect(said.stdout).toMatch(/^the cat.+\n$/s);
  const again = plinth("generate --model runs/first --prompt the_cat --tokens 20 --json");
  const { text, ...rest } = JSON.parse(again.stdout);
  expect(`the cat${text}\n`).toBe(said.stdout);
  expect(rest).toMatchObject({ model: "runs/first", prompt: "the cat", seed: 0 });
});

test("verify-resume proves that a restart changes nothing", () => {
  expect(plinth("verify-resume runs/first --steps 6").stdout).toMatchInlineSnapshot(`
    "runs/first: 6 steps in one go, and 3 + restart + 3
    compared 84 tensors, 328 kB: weights and what the optimiser remembers
    pass: every bit is the same
    "
  `);
  expect(existsSync(join(folder(), "runs/first/verify-straight"))).toBe(false);
});

test("runs are compared in a table and a page", () => {
  expect(plinth(`pretrain text.jsonl --size 2e4 ${shape} --learning-rate 0.01 --out runs/second`).status).toBe(0);
  const { status, stdout } = plinth("compare runs/first runs/second --out reports/both.html");
  expect(status).toBe(0);
  for (const word of ["first", "second", "perplexity", "learningRate", "reports/both.html"])
    expect(stdout).toContain(word);
  expect(readFileSync(join(folder(), "reports/both.html"), "utf8")).toContain("<svg");
  const facts = JSON.parse(plinth("compare runs/first runs/second --json").stdout);
  expect(facts.runs.map((r: { name: string; ended: string }) => [r.name, r.ended])).toEqual([
    ["first", "finished"],
    ["second", "finished"],
  ]);
  expect(plinth("compare runs/third")).toMatchObject({ status: 2, stdout: "" });
});

test("a model is adapted to more text, and may be adapted again", () => {
  const words = `adapt --task language-modelling text.jsonl --batch-size 8 --steps 10 --method lora --rank 2`;
  const first = plinth(`${words} --base runs/first --out runs/more`);
  expect(first.status, first.stderr).toBe(0);
  expect(first.stdout).toMatch(/^on held-out text: loss [\d.]+ before, [\d.]+ now; /);
  expect(readdirSync(join(folder(), "runs/more/adapter"))).toEqual(["adapter.safetensors"]);
  const second = plinth(`${words} --base runs/more --out runs/again --json`);
  expect(second.status, second.stderr).toBe(0);
});

test("a disk that fills up ends the run with one clear error, and the run goes on once there is room", () => {
  const line = `pretrain text.jsonl --size 1e5 ${shape} --out runs/full`;
  const full = plinth(line, "ulimit -f 400; ");
  expect(full.status).toBe(2);
  expect(full.stderr).toMatch(
    /plinth: cannot write .*: the file would be larger than this system allows \(EFBIG\)\n {2}help: /,
  );
  expect(full.stderr).not.toContain("bug");
  expect(plinth(`${line} --resume`).status).toBe(0);
});
