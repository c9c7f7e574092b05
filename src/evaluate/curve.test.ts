import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { syntheticCurve } from "../../test/synthetic-curve.js";
import { readCurve, writeCurve } from "./curve.js";

const folder = mkdtempSync(join(tmpdir(), "curve-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a curve survives its file, which is written whole", async () => {
  const path = join(folder, "deep", "curve.json");
  await writeCurve(path, syntheticCurve());
  expect(await readCurve(path)).toEqual(syntheticCurve());
  expect(readdirSync(join(folder, "deep"))).toEqual(["curve.json"]);
});

test("a score that is not finite is not saved", async () => {
  const curve = syntheticCurve();
  const broken = { ...curve, runs: [{ ...curve.runs[0]!, score: Number.NaN }] };
  await expect(writeCurve(join(folder, "nan.json"), broken)).rejects.toThrow(/cannot be saved.*\n.*at runs\.0\.score/);
});

test("a file that is missing, cut short or foreign is refused with the field that is wrong", async () => {
  await expect(readCurve(join(folder, "none.json"))).rejects.toThrow("ENOENT");
  writeFileSync(join(folder, "cut.json"), '{"format": "plinth-cu');
  await expect(readCurve(join(folder, "cut.json"))).rejects.toThrow("is not JSON");
  writeFileSync(join(folder, "foreign.json"), '{"format": "plinth-curve/1", "task": 3}');
  await expect(readCurve(join(folder, "foreign.json"))).rejects.toThrow(/is not a curve: .*string.*\n.*at task/);
});
