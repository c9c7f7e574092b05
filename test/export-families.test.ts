/** ONNX files of every kind of public model: they answer as the model does. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { exportOnnx } from "../src/jobs/export-onnx.js";
import { openPublic } from "./public-model.js";
import { temporary } from "./temporary.js";

const folder = temporary("plinth-export-families-");
const fixtures = fileURLToPath(new URL("fixtures/families", import.meta.url));
const kinds = readdirSync(fixtures, { withFileTypes: true }).flatMap((at) => (at.isDirectory() ? [at.name] : []));

test.each(kinds)("a %s is the same in ONNX, at several lengths, with its past and without", async (kind) => {
  const path = join(fixtures, kind);
  const { family, ...model } = await openPublic(path);
  const config = { ...model.config };
  const { ids } = JSON.parse(readFileSync(join(path, "expected.json"), "utf8")) as { ids: number[][] };
  const texts = ids.map((row, i) => Int32Array.from(row.slice(0, row.length - i)));
  const task = family.objective === "causal" ? ("text-generation" as const) : ("fill-mask" as const);
  const o = { family, config, base: { path, family, config }, task, texts, begin: [0], engine: "auto" as const };
  let files = 0;
  for await (const { largest, agreement } of exportOnnx(join(folder(), kind), { ...o, precisions: ["f32"] })) {
    expect(largest).toBeLessThan(1e-5);
    expect(agreement).toBe(1);
    files++;
  }
  expect(files).toBe(1);
});
