/** Ctrl-C during a run, in a real process: saved, told how to go on, and going on works. */
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../../bin/plinth.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "plinth-interrupt-"));
const lines = Array.from({ length: 200 }, (_, i) =>
  JSON.stringify({ text: `line ${i} says that ${i * 7} is a number` }),
);
writeFileSync(join(folder, "corpus.jsonl"), lines.join("\n"));
const small =
  "--tokenizer characters --size 20000 --batch-size 2 --context-length 32 --steps 400 --out run --threads 1";
const words = ["pretrain", "corpus.jsonl", ...small.split(" "), "--evaluate-every", "0", "--sample-every", "0"];

/** Run the program; `onLine` sees each line of standard output and may signal it. */
function plinth(args: readonly string[], onLine: (line: string, kill: () => void) => void = () => {}) {
  const child = spawn(process.execPath, [program, ...args], { cwd: folder });
  let [errors, rest] = ["", ""];
  child.stderr.on("data", (text) => {
    errors += text;
  });
  child.stdout.on("data", (text) => {
    const pieces = `${rest}${text}`.split("\n");
    rest = pieces.pop() ?? "";
    for (const line of pieces) onLine(line, () => void child.kill("SIGINT"));
  });
  return new Promise<{ code: number | null; errors: string }>((done) =>
    child.on("close", (code) => done({ code, errors })),
  );
}

test("Ctrl-C saves the run, says how to go on, and that command finishes it", async () => {
  let last = 0;
  const first = await plinth([...words, "--json"], (line, interrupt) => {
    const event = JSON.parse(line);
    if (event.type === "step") last = event.step;
    if (event.type === "step" && event.step === 5) interrupt();
  });
  expect(first.code).toBe(130);
  expect(last).toBeLessThan(400);
  const said = /go on with: npx plinth (.*)\n/.exec(first.errors)?.[1];
  expect(said).toBe([...words, "--json", "--resume"].join(" "));

  const events: { type: string; resumedFrom?: number; reason?: string }[] = [];
  const second = await plinth(said?.split(" ") ?? [], (line) => void events.push(JSON.parse(line)));
  expect(second.code).toBe(0);
  expect(events[0]).toMatchObject({ type: "started", resumedFrom: last });
  expect(events.at(-1)).toMatchObject({ type: "stopped", reason: "finished" });
});
