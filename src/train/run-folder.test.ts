import { spawnSync } from "node:child_process";
import { appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { isLocked, openRun, type RunSettings, readEvents, readRun } from "./index.js";

const folder = temporary("plinth-run-");
const settings: RunSettings = {
  config: { model: { layers: 2, absent: undefined }, steps: 10 },
  seeds: { run: 1 },
  data: { "corpus.txt": "abc" },
  versions: { ort: "1.2.3" },
};

test("run.json says what was run, with what, on what, and not by whom or where", async () => {
  const path = join(folder(), "record");
  await (await openRun(path, settings)).close();
  const record = await readRun(path);
  expect(record).toMatchObject({
    config: { model: { layers: 2 }, steps: 10 },
    seeds: { run: 1 },
    data: { "corpus.txt": "abc" },
    versions: { node: process.versions.node, ort: "1.2.3" },
    machine: { cores: expect.any(Number), memory: expect.any(Number) },
  });
  expect(Object.keys(record.machine)).toEqual(["cpu", "cores", "memory", "system"]);
});

test("a folder that holds a run is not started over by accident", async () => {
  const path = join(folder(), "used");
  await (await openRun(path, settings)).close();
  await expect(openRun(path, settings)).rejects.toMatchObject({
    code: "run",
    message: `this folder already holds a run\n  at ${path}\n  help: resume it (--resume), replace it (--replace), or choose another folder`,
  });
  const resumed = await openRun(path, settings, { mode: "resume" });
  expect(resumed.resumed).toBe(true);
  await resumed.close();
});

test("replacing a run removes what runs write and nothing else", async () => {
  const path = join(folder(), "replaced");
  await (await openRun(path, settings)).close();
  for (const name of ["model", "adapter"]) await mkdir(join(path, name));
  for (const name of ["results.json", "report.html", "non-finite-step-7.safetensors", "notes.txt"])
    await writeFile(join(path, name), "mine");
  const changed = { ...settings, seeds: { run: 2 } };
  await (await openRun(path, changed, { mode: "replace" })).close();
  expect((await readdir(path)).sort()).toEqual(["checkpoints", "events.jsonl", "notes.txt", "run.json"]);
  expect((await readRun(path)).seeds).toEqual({ run: 2 });
});

test("resuming with other settings is an error that lists every difference", async () => {
  const path = join(folder(), "differs");
  await (await openRun(path, settings)).close();
  const other = {
    ...settings,
    config: { model: { layers: 3 }, steps: 10, dropout: 0.1 },
    data: { "corpus.txt": "abd" },
  };
  await expect(openRun(path, other, { mode: "resume" })).rejects.toThrow(
    'this folder holds another run: config.model.layers was 2, now 3; config.dropout was absent, now 0.1; data.corpus.txt was "abc", now "abd"',
  );
});

test("a run that goes on with other versions says so", async () => {
  const path = join(folder(), "moved");
  await (await openRun(path, settings)).close();
  const same = await openRun(path, settings, { mode: "resume" });
  expect(same.warnings).toEqual([]);
  await same.close();
  const other = await openRun(path, { ...settings, versions: { ort: "1.3.0" } }, { mode: "resume" });
  expect(other.warnings).toEqual([
    'the run began elsewhere, so its last bits may differ: versions.ort was "1.2.3", now "1.3.0"',
  ]);
  await other.close();
});

test("two processes cannot work in one folder, and the second changes nothing", async () => {
  const path = join(folder(), "locked");
  const open = await openRun(path, settings);
  expect(await isLocked(join(path, "lock"))).toBe(true);
  for (const mode of ["resume", "replace"] as const)
    await expect(openRun(path, settings, { mode })).rejects.toMatchObject({
      code: "run",
      message: expect.stringContaining(`another process (${process.pid}) is working in this run folder`),
    });
  await open.close();
  expect(await isLocked(join(path, "lock"))).toBe(false);
  await (await openRun(path, settings, { mode: "resume" })).close();
  expect(await readdir(path)).not.toContain("lock");
});

test("the lock of a dead process is taken over, also when its number is in use again", async () => {
  const path = join(folder(), "stale");
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  await mkdir(path);
  const stale = [
    JSON.stringify({ process: pid, started: "1" }),
    JSON.stringify({ process: process.pid, started: "1" }),
    "",
    "half a li",
  ];
  for (const content of process.platform === "linux" ? stale : stale.filter((_, i) => i !== 1)) {
    await writeFile(join(path, "lock"), content);
    await (await openRun(path, settings, { mode: "resume" })).close();
  }
});

test("of many that ask at once for a stale lock, one gets it", async () => {
  const path = join(folder(), "race");
  await mkdir(path);
  await writeFile(join(path, "lock"), "");
  const asked = await Promise.allSettled(Array.from({ length: 8 }, () => openRun(path, settings, { mode: "resume" })));
  const got = asked.filter((result) => result.status === "fulfilled");
  expect(got).toHaveLength(1);
  await got[0]!.value.close();
});

test("events after a step are forgotten, and so is a line cut short", async () => {
  const path = join(folder(), "events");
  const open = await openRun(path, settings);
  for (const step of [1, 2, 2, 3]) open.log.append({ type: "sample", step, text: `step ${step}\n` });
  await appendFile(join(path, "events.jsonl"), '{"type":"sample","step":3,"te');
  expect((await readEvents(path)).map(({ step }) => step)).toEqual([1, 2, 2, 3]);
  await open.log.cutAfter(2);
  open.log.append({ type: "sample", step: 3, text: "again" });
  await open.close();
  const lines = (await readFile(join(path, "events.jsonl"), "utf8")).split("\n");
  expect(lines.slice(0, -1).map((line) => JSON.parse(line).step)).toEqual([1, 2, 2, 3]);
  expect(lines.at(-1)).toBe("");
});

test("a folder without a run, and a damaged run.json, are told as such", async () => {
  await expect(readRun(folder())).rejects.toThrow("this folder holds no run");
  const path = join(folder(), "damaged");
  await mkdir(path);
  await writeFile(join(path, "run.json"), "{");
  await expect(openRun(path, settings, { mode: "resume" })).rejects.toThrow("run.json is damaged");
});
