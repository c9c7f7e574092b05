/** Public models from import to vectors, as a user types it: a real process of the built program. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { families } from "../../src/models/index.js";
import { temporary } from "../temporary.js";
import { writeTiny } from "../tiny-model.js";

const program = fileURLToPath(new URL("../../bin/plinth.js", import.meta.url));
const folder = temporary("plinth-vectors-");
const texts = ["a cat sees a dog in the house", "it rains in the city", "the dog is near the river"];
const shape = { contextLength: 16, layers: 1, heads: 2, hiddenSize: 16 };

const plinth = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd: folder(),
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};
beforeAll(async () => {
  await writeTiny(join(folder(), "public"), { family: families.bert, shape, texts });
  writeFileSync(join(folder(), "notes.txt"), texts.join("\n"));
});

test("a model is imported, and said what it is", () => {
  const { status, stdout, stderr } = plinth("import", "public");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(
    /^family +bert\nparameters +[\d,]+, stored as f32\nhead +of tokens\ntokeniser +WordPiece, \d+ entries\n/,
  );
  expect(stdout).toMatch(/written to +models\/public\n$/);
  expect(plinth("import", "public").stderr).toContain("there is a model in models/public already");
});

test("texts have vectors, of which the nearest to a question are found", () => {
  const lines = plinth("embed", "--data", "notes.txt", "--model", "public");
  expect(lines.stderr).toBe(
    "mean pooling, vectors of length 1: the model's folder does not say how its vectors are made\n",
  );
  const found = lines.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(found.map((one) => one.text)).toEqual(texts);
  expect(found[0].vector).toHaveLength(16);
  const near = plinth("embed", "--data", "notes.txt", "--model", "public", "--nearest", texts[1]!, "--top", "2");
  expect(near.stdout.split("\n")[0]).toBe(` 1.0000  ${texts[1]}`);
  expect(near.stdout.trimEnd().split("\n")).toHaveLength(2);
});

test("vectors are written to a file, and texts that are too long are counted", () => {
  writeFileSync(join(folder(), "long.txt"), `${texts[0]}\n${"the dog ".repeat(20)}`);
  const words = [
    "embed",
    "--data",
    "long.txt",
    "--model",
    "public",
    "--pooling",
    "mean",
    "--normalise",
    "--out",
    "v.npy",
  ];
  const { status, stdout, stderr } = plinth(...words);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "2 vectors of 16 numbers in v.npy\n" });
  expect(stderr).toBe("1 of 2 texts are longer than 16 tokens: only their beginning was read\n");
  expect(readFileSync(join(folder(), "v.npy"))).toHaveLength(128 + 2 * 16 * 4);
  expect(JSON.parse(plinth(...words, "--json").stdout)).toEqual({
    out: "v.npy",
    vectors: 2,
    dimensions: 16,
    truncated: 1,
  });
});

test("gaps are filled in", () => {
  const { status, stdout } = plinth("fill", "the [MASK] sees a dog", "--model", "public", "--top", "2");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^the \[MASK\] sees a dog\n {2}\S+ [\d.]+ % {3}\S+ [\d.]+ %\n$/);
  expect(plinth("fill", "a dog", "--model", "public").stderr).toContain("the text has no gap");
});
