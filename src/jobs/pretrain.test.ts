import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { parametersOf } from "../models/index.js";
import { reference } from "../runtime/index.js";
import { readEvents, readRun, type TrainEvent } from "../train/index.js";
import { openBase } from "./base.js";
import { pretrain } from "./pretrain.js";
import type { PretrainOptions } from "./pretrain-options.js";
import { requireStored } from "./stored.js";

const folder = temporary("plinth-pretrain-");
const at = (name: string) => join(folder(), name);

const things = ["cat", "dog", "bird", "horse", "river", "stone"];
const sentence = (i: number) =>
  `the ${things[i % 6]} number ${i} is ${i % 3 ? "near" : "beyond"} the ${things[(i * 7) % 6]}`;

beforeAll(() => {
  const rows = Array.from({ length: 900 }, (_, i) => JSON.stringify({ text: sentence(i) }));
  writeFileSync(at("text.jsonl"), rows.join("\n"));
});

const small = (out: string): PretrainOptions => ({
  data: [at("text.jsonl")],
  out: at(out),
  tokenizer: "characters",
  contextLength: 32,
  model: { layers: 1, heads: 2, hiddenSize: 16, dropout: 0.1 },
  batchSize: 4,
  steps: 8,
  saveEvery: 3,
  evaluateBatches: 2,
  threads: 1,
});
async function all(events: AsyncIterable<TrainEvent>, each: (event: TrainEvent) => void = () => {}) {
  const found: TrainEvent[] = [];
  for await (const event of events) {
    found.push(event);
    each(event);
  }
  return found;
}
const model = (out: string) => readFileSync(join(at(out), "model", "model.safetensors"));

test("training leaves the event loop free, and does not wait for data", async () => {
  const events: TrainEvent[] = [];
  let fired = 0;
  let timer: NodeJS.Timeout | undefined;
  let [from, to] = [0, 0];
  const wide = { layers: 2, heads: 4, hiddenSize: 192 };
  const o = {
    ...small("free"),
    model: wide,
    contextLength: 128,
    batchSize: 24,
    evaluateEvery: 0,
    saveEvery: 0,
    sampleEvery: 0,
  };
  await all(pretrain(o), (event) => {
    events.push(event);
    if (event.type !== "step") return;
    // the first step compiles the programs
    if (event.step === 1) {
      from = performance.now();
      timer = setInterval(() => fired++, 20);
    }
    to = performance.now();
  }).finally(() => clearInterval(timer));
  // a blocked loop would let it fire once a step
  expect(fired).toBeGreaterThan((to - from) / 20 / 3);
  const steps = events.filter((e) => e.type === "step").slice(1);
  const time = steps.reduce((sum, e) => sum + e.milliseconds, 0);
  const waited = steps.reduce((sum, e) => sum + e.milliseconds * e.waitShare, 0);
  expect(waited / time).toBeLessThan(0.02);
});

test("a run that is interrupted and resumed ends with the same bits", async () => {
  await all(pretrain(small("whole")));
  const stop = new AbortController();
  const first = await all(pretrain(small("broken"), { signal: stop.signal }), (event) => {
    if (event.type === "step" && event.step === 4) stop.abort();
  });
  expect(first.at(-1)).toMatchObject({ type: "stopped", reason: "interrupted", step: 4 });
  const second = await all(pretrain({ ...small("broken"), resume: true }));
  expect(second[0]).toMatchObject({ type: "started", resumedFrom: 4 });
  expect(model("broken").equals(model("whole"))).toBe(true);
  const losses = async (out: string) => (await readEvents(at(out))).flatMap((e) => (e.type === "step" ? [e.loss] : []));
  expect(await losses("broken")).toEqual(await losses("whole"));
});

test("run.json is enough to run again: seeds, hashes, versions, every option but the place", async () => {
  await all(pretrain({ ...small("first"), epochs: 0.015, steps: undefined }));
  const { config, seeds, data, versions } = await readRun(at("first"));
  expect(config).toMatchObject({ kind: "pretrain", family: "gpt", epochs: 0.015, steps: 4, learningRate: 3e-3 });
  expect(config).not.toHaveProperty("out");
  expect(seeds).toEqual({ run: 1 });
  expect(Object.keys(data)).toEqual(["train", "validation", "tokenizer"]);
  expect(versions["engine"]).toMatch(/^(native|ort) \d/);
});

test("what the doctor finds is logged, or stops the run before it begins", async () => {
  const twice = at("twice.jsonl");
  writeFileSync(twice, `${readFileSync(at("text.jsonl"), "utf8")}\n${JSON.stringify({ text: sentence(0) })}`);
  const [warning] = await all(pretrain({ ...small("warned"), data: [twice] }));
  const message = `train: 1 text is there already (0.1 %) (such as ${twice}:901) [duplicate]`;
  expect(warning).toEqual({ type: "warning", step: 0, message });
  expect((await readEvents(at("warned")))[0]).toMatchObject({ type: "warning", message });

  const leaking = { ...small("leaking"), validation: [at("text.jsonl")] };
  await expect(all(pretrain(leaking))).rejects.toMatchObject({ code: "leakage" });
  expect(() => readdirSync(at("leaking"))).toThrow();
  const allowed = await all(pretrain({ ...leaking, allow: ["leakage"] }));
  expect(allowed[0]).toMatchObject({ type: "warning", message: expect.stringContaining("[leakage]") });
});

const refusal = async (o: PretrainOptions): Promise<string> => {
  const error = await all(pretrain(o)).then(
    () => new Error("it was not refused"),
    (e: Error) => e,
  );
  return error.message.replaceAll(`${folder()}/`, "");
};

test("options that cannot be are refused", async () => {
  const o = small("refused");
  const said = [
    await refusal({ ...o, contextLength: 40_000 }),
    await refusal({ ...o, documents: "joined", contextLength: 400_000 }),
    await refusal({ ...o, model: { ...o.model, vocabSize: 10 } }),
    await refusal({ ...o, model: { ...o.model, hiddenSize: 15 } }),
    await refusal({ ...o, model: { ...o.model, hidenSize: 15 } }),
    await refusal({ ...o, preset: "gpt-1mm" }),
    await refusal({ ...o, epochs: 2 }),
    await refusal({ ...o, steps: 0 }),
    await refusal({ ...o, stepps: 3 } as PretrainOptions),
    await refusal({ ...o, model: { layers: 8, heads: 4, hiddenSize: 32_768 } }),
    await refusal({ ...o, batchSize: 200_000 }),
    await refusal({ ...o, family: "bert", tokenizer: "characters" }),
  ];
  expect(said.map((text) => text.replace(/[\d.]+ (GB|MB)/g, "# $1")).join("\n\n")).toMatchInlineSnapshot(`
    "the corpus has 32339 tokens, less than one context of 40000
      help: add text, or use a contextLength of at most 32339

    the corpus has 32385 tokens, less than one context of 400000 and the token after it
      help: add text, or use a contextLength below 32385

    the tokeniser has 30 entries, the model's embedding 10 rows
      at model.vocabSize
      help: leave the model's vocabSize out, or use a smaller tokeniser

    the model: hiddenSize must be a multiple of heads
      at model.heads
      help: see docs/reference/models.md

    the model: Unrecognized key: "hidenSize"
      at model
      help: see docs/reference/models.md

    there is no preset "gpt-1mm"
      help: did you mean gpt-1m? one of: gpt-0.3m, gpt-1m, gpt-3m, gpt-12m, gpt-34m, gpt2, modern-3m, llama-0.3m, llama-3m, smollm2-135m, qwen3-0.6b, llama-3.2-1b, bert-1m, bert-tiny, bert-4m, minilm, bert-base, roberta-base, distilbert, t5-1m, t5-4m, t5-small, t5-base, flan-t5-small, flan-t5-base, bart-1m, bart-base, bart-large

    steps, epochs and minutes are three ways to say one thing
      help: give one of them

    steps: Too small: expected number to be >0
      at steps
      help: see docs/reference/configuration.md

    there is no option "stepps"
      help: did you mean steps?

    the model's weights would need # GB of memory, # GB are available
      help: use a smaller model

    a step would need about # GB of memory, # GB are available
      help: use a smaller batch with accumulation, a shorter context or a smaller model

    a masked model needs a tokeniser with [CLS], [SEP] and [MASK]
      help: train one of kind wordpiece"
  `);
});

test("checkpoints that were cut short are refused together, and a good one is gone on with", async () => {
  const o = { ...small("cut"), resume: true };
  const stop = new AbortController();
  await all(pretrain(small("cut"), { signal: stop.signal }), (event) => {
    if (event.type === "step" && event.step === 5) stop.abort();
  });
  const names = readdirSync(join(at("cut"), "checkpoints")).filter((name) => name.startsWith("step"));
  expect(names).toEqual(["step-00000003.safetensors", "step-00000005.safetensors"]);
  truncateSync(join(at("cut"), "checkpoints", names[1]!), 5000);
  const stopAgain = new AbortController();
  stopAgain.abort();
  const events = await all(pretrain(o, { signal: stopAgain.signal }));
  expect(events[0]).toMatchObject({ type: "warning", message: expect.stringContaining("going on from step-00000003") });
  for (const name of names) writeFileSync(join(at("cut"), "checkpoints", name), "not a checkpoint");
  expect(await refusal(o)).toMatch(/^no checkpoint of this run can be used: /);
});

test("a folder that holds a run, or cannot be made, is refused", async () => {
  await all(pretrain({ ...small("used"), steps: 2 }));
  writeFileSync(at("file"), "");
  const said = [
    await refusal(small("used")),
    await refusal({ ...small("used"), steps: 2, batchSize: 8, resume: true }),
    await refusal({ ...small("used"), out: join(at("file"), "run") }),
  ];
  expect(said.join("\n\n")).toMatchInlineSnapshot(`
    "this folder already holds a run
      at used
      help: resume it (--resume), replace it (--replace), or choose another folder

    this folder holds another run: config.batchSize was 4, now 8
      at used
      help: resume it with the settings it was started with, or choose another folder

    cannot write file/.cache: a part of the path is a file, not a folder (ENOTDIR)
      help: choose another folder"
  `);
});

test("a single text is split by its length: its tail is measured on and never learnt from", async () => {
  const lines = Array.from({ length: 400 }, (_, i) => sentence(i));
  const text = `${lines.join("\n")}\n${"zyx ".repeat(300)}`;
  writeFileSync(at("one.txt"), text);
  for (const o of [{}, { family: "bert" as const, tokenizer: "words", maskRate: 0.15 }]) {
    const out = `one-${o.family ?? "gpt"}`;
    const tail = { ...small(out), ...o, data: [at("one.txt")], validationShare: o.family ? 0.1 : 1200 / text.length };
    const events = await all(pretrain({ ...tail, steps: 60, evaluateEvery: 60, learningRate: 1e-2 }));
    const step = events.findLast((e) => e.type === "step")!;
    const score = events.findLast((e) => e.type === "score")!;
    expect(score.scores["loss"]).toBeGreaterThan(step.loss + 1);
  }
});

test("a model stored in half precision is read back, and refused when it scores otherwise", async () => {
  const o = { ...small("half"), floats: "f16" } as const;
  await all(pretrain(o));
  const base = await openBase(at("half"));
  const weights = parametersOf(base.family, base.config);
  await using session = await reference.open(await base.weights(weights));
  const losses = [2, 3];
  const scorer = () => async () => ({ loss: losses.shift()! });
  await expect(
    requireStored({ weights, scorer }, { path: join(at("half"), "model"), session, engine: reference }),
  ).rejects.toThrow("stored in half precision, the model has a held-out loss of 3.000, not 2.000");
  expect(() => model("half")).toThrow("ENOENT");
});
