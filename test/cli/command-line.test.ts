/** The command line as a user meets it: a real process of the built program. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../../bin/plinth.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "plinth-command-line-"));
const plinth = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

test("without a command, and with --help, the commands are listed", () => {
  const help = plinth("--help");
  expect(help.status).toBe(0);
  expect(help.stderr).toBe("");
  expect(help.stdout).toMatch(/^plinth: foundation models in TypeScript\n\nUsage: plinth <command>/);
  expect(plinth().stdout).toBe(help.stdout);
  expect(plinth("help").stdout).toBe(help.stdout);
});

test("the version is the package's", () => {
  expect(plinth("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("a misspelt command is refused with the nearest one and exit code 2", () => {
  expect(plinth("inof")).toEqual({
    status: 2,
    stdout: "",
    stderr: "plinth: unknown command inof\n  at plinth\n  help: did you mean info?\n",
  });
  expect(plinth("--hlep").stderr).toBe("plinth: unknown flag --hlep\n  at plinth\n  help: did you mean --help?\n");
});

test("under --json an error is JSON as well", () => {
  const { status, stdout } = plinth("runs", "--foldr", "x", "--json");
  expect(status).toBe(2);
  expect(JSON.parse(stdout)).toEqual({
    error: { code: "usage", what: "unknown flag --foldr", at: "plinth runs", help: "did you mean --folder?" },
  });
});

test("info says that every engine present computes what the definitions say", () => {
  const { status, stdout, stderr } = plinth("info", "--json", "--no-peak");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { engines, machine, auto } = JSON.parse(stdout);
  expect(engines.map((e: { name: string }) => e.name)).toEqual(["reference", "ort", "native"]);
  for (const engine of engines) if (engine.available) expect(engine.selfTest.passed).toBe(true);
  expect(engines.find((e: { name: string }) => e.name === auto.name)).toMatchObject({ available: true });
  expect(machine.cores).toBeGreaterThan(0);
});

test("texts are written on, and nothing stands in front of what is wrong", () => {
  const model = fileURLToPath(new URL("../fixtures/gpt2-folder", import.meta.url));
  const o = ["--model", model, "--tokens", "6", "--temperature", "0"];
  const one = plinth("generate", "A large", ...o);
  expect(one).toEqual({ status: 0, stdout: "A large animal that lives in the fo\n", stderr: "" });
  const two = plinth("generate", "A large", "A 2, small", ...o, "--json");
  const lines = two.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { index: 0, prompt: "A large", text: " animal that lives in the fo", ended: "length" },
    { index: 1, prompt: "A 2, small" },
  ]);
  const wrong = plinth("generate", "A large", ...o, "--regex", "(");
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  expect(wrong.stderr).toMatch(/^plinth: Invalid regular expression/);
});

test("a tokeniser is learnt, looked at, and not written over", () => {
  writeFileSync(join(folder, "corpus.txt"), "the cat sat on the mat\nthe dog sat on the log\n".repeat(50));
  const learn = () => plinth("tokenize", "corpus.txt", "--vocab-size", "300", "--out", "tok", "--json");
  const first = learn();
  expect(first.stderr).toBe("");
  expect(JSON.parse(first.stdout)).toMatchObject({ model: "BPE", corpus: { bytes: 2300 } });
  const again = learn();
  expect(again.status).toBe(2);
  expect(again.stderr).toMatch(/a tokeniser is there already/);
  const look = plinth("tokenize", "--tokenizer", "tok", "--text", "the cat", "--json");
  const { text } = JSON.parse(look.stdout);
  expect(text.decoded).toBe("the cat");
  expect(text.pieces.join("").replaceAll("Ġ", " ")).toBe("the cat");
});

test("tokenize says what it needs", () => {
  expect(plinth("tokenize").stderr).toMatch(/^plinth: there is nothing to learn from\n {2}help: /);
  expect(plinth("tokenize", "--text", "a").stderr).toMatch(/^plinth: --text needs --tokenizer\n {2}help: /);
});

test("a folder without runs is an empty list", () => {
  expect(plinth("runs")).toEqual({ status: 0, stdout: "no runs in runs\n", stderr: "" });
  expect(plinth("runs", "--json").stdout).toBe("");
});

test("a reader that closes the pipe ends the program quietly", async () => {
  const child = spawn(process.execPath, [program, "info", "--help"], { cwd: folder });
  child.stdout.destroy();
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const code = await new Promise((done) => child.on("close", done));
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
});
