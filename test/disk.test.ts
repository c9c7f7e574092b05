import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { built } from "./built.js";
import { temporary } from "./temporary.js";
import { toyRun } from "./toy-run.js";

const folder = temporary("plinth-disk-");

test("a file that outgrows its limit stops the run with one clear error, and the run goes on once there is room", async (t) => {
  if (process.platform === "win32") return t.skip();
  const script = built(folder(), "resume-child.ts", "toy.ts");
  const path = join(folder(), "limited");
  // a limit between run.json and a checkpoint, in blocks of 1,024 bytes
  const train = (limit: string) =>
    spawnSync("bash", ["-c", `ulimit -f ${limit}; exec "$0" "$@"`, process.execPath, script, path, "reference", "1"], {
      encoding: "utf8",
    });
  const failed = train("30");
  expect(failed.stderr).toContain("PlinthError: cannot write");
  expect(failed.stderr).toContain("the file would be larger than this system allows (EFBIG)");
  expect(failed.status).not.toBe(0);
  expect(readdirSync(join(path, "checkpoints"))).toEqual([]);
  expect(train("unlimited").stdout).toContain("stopped 60\n");
});

test("a full disk stops the run with one clear error, and nothing that was saved is lost", async (t) => {
  if (process.platform !== "linux") return t.skip();
  const path = join(folder(), "full");
  await toyRun(path, { until: 5 });
  const next = join(path, "checkpoints/step-00000010.safetensors");
  symlinkSync("/dev/full", `${next}.tmp`);
  await expect(toyRun(path, { until: 10 })).rejects.toMatchObject({
    code: "disk",
    message: `cannot write ${next}: the disk is full (ENOSPC)\n  help: free some space; what was saved before is intact`,
  });
  expect(readdirSync(join(path, "checkpoints"))).toEqual(["step-00000005.safetensors"]);
  const { events, weights } = await toyRun(path);
  expect(events[0]).toMatchObject({ resumedFrom: 5 });
  expect(weights).toEqual((await toyRun(join(folder(), "roomy"))).weights);
});

test("a folder that cannot be made or written is told as such, before anything runs", async (t) => {
  const file = join(folder(), "file");
  writeFileSync(file, "");
  await expect(toyRun(join(file, "run"))).rejects.toMatchObject({
    code: "disk",
    message: expect.stringContaining("a part of the path is a file, not a folder (ENOTDIR)"),
  });
  if (process.platform !== "linux") return t.skip();
  await expect(toyRun("/proc/plinth-run")).rejects.toMatchObject({ code: "disk" });
});

test("a file in the place of the checkpoints folder is told as such", async () => {
  const path = join(folder(), "in-the-way");
  mkdirSync(path);
  writeFileSync(join(path, "checkpoints"), "");
  await expect(toyRun(path)).rejects.toMatchObject({
    code: "disk",
    message: expect.stringContaining("a file is in the way of a folder of that name (EEXIST)"),
  });
});
