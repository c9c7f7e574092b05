/** What weight files, checkpoints, runs and engines say when something is wrong with them. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nd } from "../../src/ir/index.js";
import { openModelFolder, openSafetensors, writeSafetensors } from "../../src/models/index.js";
import { ort } from "../../src/runtime/index.js";
import { readRun } from "../../src/train/index.js";
import { temporary } from "../temporary.js";
import { said } from "./said.js";

const folder = temporary("plinth-messages-");
const at = (name: string) => join(folder(), name);

/** A safetensors file with a bool `b` and floats `w`. */
async function weights(name: string): Promise<string> {
  const values = { b: nd("bool", [2], [0, 1]), w: nd("f32", [2], 3) };
  const types = new Map(Object.entries(values));
  await writeSafetensors(at(name), { types, value: (key) => types.get(key)!, checksum: true });
  return at(name);
}

/** Change the last bytes of a file. */
function spoil(path: string, bytes: readonly number[]): void {
  const content = readFileSync(path);
  content.set(bytes, content.length - bytes.length);
  writeFileSync(path, content);
}

async function opened<T>(
  path: string,
  use: (file: Awaited<ReturnType<typeof openSafetensors>>) => Promise<T>,
): Promise<T> {
  await using file = await openSafetensors(path);
  return await use(file);
}

test("weight files say what is damaged", async () => {
  const [whole, spoilt] = [await weights("whole.safetensors"), await weights("spoilt.safetensors")];
  // tensors are stored largest element first: the two bools come last
  const size = readFileSync(spoilt).length;
  spoil(
    spoilt,
    Array.from({ length: size - readFileSync(spoilt).indexOf("}", size - 24) - 1 }, () => 7),
  );
  expect(
    await said(
      [
        () => opened(whole, (file) => file.read("none")),
        () => opened(spoilt, (file) => file.verify()),
        () => opened(spoilt, (file) => file.read("b")),
      ],
      folder(),
    ),
  ).toMatchInlineSnapshot(`
    "[checkpoint] whole.safetensors has no tensor none
      at none
      help: download or save it again, or name another file
    [checkpoint] spoilt.safetensors: its header is not JSON (Expected ',' or '}' after property value in JSON at position 144)
      help: the file is truncated, damaged or not safetensors: download or save it again, or name another file
    [checkpoint] spoilt.safetensors: its header is not JSON (Expected ',' or '}' after property value in JSON at position 144)
      help: the file is truncated, damaged or not safetensors: download or save it again, or name another file"
  `);
});

test("model folders say which part is missing", async () => {
  const make = async (name: string, files: Readonly<Record<string, string>>) => {
    mkdirSync(at(name));
    for (const [file, text] of Object.entries(files)) writeFileSync(at(`${name}/${file}`), text);
    copyFileSync(await weights("source.safetensors"), at(`${name}/model-1.safetensors`));
    return at(name);
  };
  const index = JSON.stringify({ metadata: {}, weight_map: { w: "model-1.safetensors", v: "model-1.safetensors" } });
  const sharded = { "model.safetensors.index.json": index };
  const broken = await make("broken", { "config.json": "{" });
  const short = await make("short", { "config.json": "{}", ...sharded });
  const labels = await make("labels", { "config.json": '{ "id2label": { "1": "cat" } }' });
  copyFileSync(at("source.safetensors"), join(labels, "model.safetensors"));
  const whole = await make("whole", { "config.json": "{}" });
  copyFileSync(at("source.safetensors"), join(whole, "model.safetensors"));
  const reading = async () => {
    await using model = await openModelFolder(whole);
    return await model.read("none");
  };
  const openings = [broken, short, labels].map((path) => () => openModelFolder(path));
  expect(await said([...openings, reading], folder())).toMatchInlineSnapshot(`
    "[checkpoint] broken/config.json is damaged: it is not the JSON it should be
      help: download or save the model again
    [checkpoint] short/model.safetensors.index.json names weights that no file holds: v
      help: download or save the model again
    [checkpoint] labels/config.json: id2label does not number its labels 0, 1, 2, …
      help: download or save the model again
    [checkpoint] whole has no weight none
      at none
      help: name another model"
  `);
});

test("runs and engines say what they cannot use", async () => {
  mkdirSync(at("run"));
  writeFileSync(at("run/run.json"), "[]");
  const half = new Map([["w", nd("bf16", [1], 1)]]);
  expect(
    await said([() => readRun(at("run")), () => readRun(at("none")), () => ort.open(half)], folder()),
  ).toMatchInlineSnapshot(`
    "[run] run.json is damaged or of another program
      at run/run.json
      help: start the run again in another folder
    [run] this folder holds no run
      at none
      help: name a folder with a run.json in it
    [engine] the ort engine holds no bf16 values: w is bf16[1]
      help: convert it to f32"
  `);
});
