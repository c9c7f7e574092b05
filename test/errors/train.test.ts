/** What weight files, checkpoints, runs and engines say when something is wrong with them. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nd } from "../../src/ir/index.js";
import { textsBegin } from "../../src/jobs/save-model.js";
import { openModelFolder, openSafetensors, writeSafetensors } from "../../src/models/index.js";
import { ort, reference } from "../../src/runtime/index.js";
import { readRun, verifyResume } from "../../src/train/index.js";
import { temporary } from "../temporary.js";
import { toyJob } from "../toy.js";
import { toyRun } from "../toy-run.js";
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
  // two floats and two bools
  spoil(
    spoilt,
    Array.from({ length: 10 }, () => 7),
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
    [checkpoint] spoilt.safetensors is damaged: its checksum does not match its bytes
      help: download or save it again, or name another file
    [checkpoint] spoilt.safetensors: b: a bool is stored as neither 0 nor 1
      help: download or save it again, or name another file"
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
  writeFileSync(join(whole, "tokenizer_config.json"), "{");
  const begins = () => textsBegin(whole);
  const openings = [broken, short, labels].map((path) => () => openModelFolder(path));
  expect(await said([...openings, reading, begins], folder())).toMatchInlineSnapshot(`
    "[checkpoint] broken/config.json is damaged: it is not the JSON it should be
      help: download or save the model again
    [checkpoint] short/model.safetensors.index.json names weights that no file holds: v
      help: download or save the model again
    [checkpoint] labels/config.json: id2label does not number its labels 0, 1, 2, …
      help: download or save the model again
    [checkpoint] whole has no weight none
      at none
      help: name another model
    [tokenizer] this file is not JSON
      at whole/tokenizer_config.json
      help: save the model again"
  `);
});

test("training says what it cannot start or save", async () => {
  const lost = { ...toyJob(), state: new Map(), engine: reference };
  // an infinite second moment makes no update, so that the loss stays finite
  const endless = new Map([
    ...toyJob().state,
    ["optimizer.head.bias.v", nd("f32", [2], [0, Number.POSITIVE_INFINITY])],
  ] as const);
  expect(
    await said(
      [
        () => toyRun(at("zero"), { steps: 0 }),
        () => toyRun(at("lost"), { state: new Map() }),
        () => verifyResume(lost, { folder: at("verify"), steps: 1 }),
        () => toyRun(at("endless"), { state: endless }),
      ],
      folder(),
    ),
  ).toMatchInlineSnapshot(`
    "[config] steps 0 and accumulation 1 must be whole numbers above 0
    [checkpoint] no first value for hidden.weight, hidden.bias, head.weight, head.bias
      help: initialise or load them
    [config] 1 steps cannot be taken in two parts
      help: give at least 2
    [non-finite] optimizer.head.bias.v holds Infinity at 1: the checkpoint step-00000020.safetensors is refused
      at optimizer.head.bias.v
      help: lower the learning rate, or clip gradients, and go on from the checkpoint before"
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
