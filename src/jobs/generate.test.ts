import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import { temporary } from "../../test/temporary.js";
import { loadTokenizer, trainTokenizer } from "../data/index.js";
import { families, parametersOf } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { reference } from "../runtime/index.js";
import { generateText, generateTexts, type WriteControl } from "./generate.js";
import type { GenerateTextOptions } from "./generate-options.js";
import { pretrain } from "./pretrain.js";
import type { Written } from "./prompt.js";
import { saveModel } from "./save-model.js";

const folder = temporary("plinth-generate-");
const model = fileURLToPath(new URL("../../test/fixtures/gpt2-folder", import.meta.url));

async function written(o: GenerateTextOptions, control?: WriteControl): Promise<Written & { pieces: number }> {
  const run = generateText(o, control);
  for (let pieces = 0; ; pieces++) {
    const { done, value } = await run.next();
    if (done) return { ...value, pieces };
  }
}

test("a folder that transformers wrote goes on with a prompt as transformers does", async () => {
  const { prompt, text, ids } = JSON.parse(readFileSync(join(model, "expected.json"), "utf8"));
  for (const engine of ["ort", "reference"] as const) {
    const found = await written({ model, prompt, tokens: ids.length, temperature: 0, engine });
    expect(found).toMatchObject({ text, tokens: ids.length, ended: "length" });
    expect(found.pieces).toBeGreaterThan(5);
  }
});

test("the same seed writes the same text, and a text may be longer than the context", async () => {
  const o = { model, prompt: "A small", tokens: 40, temperature: 1.5 };
  const [first, again, other] = [await written(o), await written(o), await written({ ...o, seed: 1 })];
  expect(first.text).toBe(again.text);
  expect(first.text).not.toBe(other.text);
  expect(first.tokens).toBe(40);
});

test("a model whose documents began with the end-of-text token is asked with it, and ends by itself", async () => {
  const out = join(folder(), "run");
  const data = join(folder(), "text.jsonl");
  writeFileSync(data, Array.from({ length: 200 }, () => JSON.stringify({ text: "abcdefgh" })).join("\n"));
  const shape = { layers: 1, heads: 1, hiddenSize: 32 };
  const o = { data: [data], validation: [data], allow: ["leakage"], tokenizer: "characters", contextLength: 18 };
  for await (const _ of pretrain({ ...o, out, model: shape, batchSize: 8, steps: 80, learningRate: 1e-2 }));
  const config = JSON.parse(readFileSync(join(out, "model", "tokenizer_config.json"), "utf8"));
  expect(config).toMatchObject({ add_bos_token: true, bos_token: "<|endoftext|>" });
  expect(JSON.parse(readFileSync(join(out, "model", "config.json"), "utf8"))).toMatchObject({
    bos_token_id: 0,
    eos_token_id: 0,
  });
  expect(await written({ model: out, prompt: "ab", temperature: 0 })).toMatchObject({ text: "cdefgh", ended: "stop" });
  expect(await written({ model: out, temperature: 0 })).toMatchObject({ text: "abcdefgh", ended: "stop" });
});

/** The fixture's model in a folder with other files beside it. */
function beside(files: Readonly<Record<string, object>>): string {
  const at = mkdtempSync(join(folder(), "model-"));
  cpSync(model, at, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(at, name), JSON.stringify(content));
  return at;
}

async function all(o: GenerateTextOptions) {
  const found = [];
  for await (const one of generateTexts(o)) found.push(one);
  return found;
}

test("several prompts and those of a file are written side by side as they are alone, whatever the batch", async () => {
  const prompts = ["A", "A large animal that lives", "", "water"];
  const data = join(mkdtempSync(join(folder(), "prompts-")), "prompts.jsonl");
  writeFileSync(data, prompts.map((text) => JSON.stringify({ question: text })).join("\n"));
  for (const o of [{ temperature: 1, seed: 4 }, { beams: 3 }]) {
    const alone = [];
    for (const prompt of prompts) alone.push((await written({ model, prompt, tokens: 9, ...o })).text);
    const several = await all({ model, prompt: prompts, tokens: 9, ...o });
    expect(several.map(({ text }) => text)).toEqual(alone);
    expect(several.map(({ index, prompt }) => [index, prompt])).toEqual(prompts.map((prompt, i) => [i, prompt]));
    const file = await all({ model, data: [data], text: "question", batchSize: 3, tokens: 9, ...o });
    expect(file.map(({ text }) => text)).toEqual(alone);
  }
});

test("whoever says how to draw draws, whatever the folder has of beams, and not in a search", async () => {
  const o = { prompt: ["A large animal"], tokens: 8, temperature: 1, seed: 4 };
  const [plain] = await all({ ...o, model });
  const [beside4] = await all({ ...o, model: beside({ "generation_config.json": { num_beams: 4 } }) });
  expect(beside4!.text).toBe(plain!.text);
  await expect(all({ ...o, model, beams: 2 })).rejects.toThrow("beams search for the likeliest text and draw nothing");
});

test("a prompt that is longer than the context is told, and a bias by number is one of an id", async () => {
  const notes: string[] = [];
  const long = { model, prompt: ["water ".repeat(400)], tokens: 1 };
  for await (const _ of generateTexts(long, { note: (text) => notes.push(text) }));
  expect(notes.join()).toMatch(/a prompt of \d+ tokens: only its last \d+ are read, the model's context/);
  const tokenizer = await loadTokenizer(model);
  const [only] = await all({ model, prompt: ["A"], tokens: 3, logitBias: { 70: 1e4 } });
  expect(only!.text).toBe(await tokenizer.decode([70, 70, 70]));
});

test("a stop string ends the text in front of it, beams too", async () => {
  const o = { model, prompt: "A large animal", tokens: 30, temperature: 0 };
  const { text } = await written(o);
  const stop = [text.slice(7, 10), "never there"];
  const before = text.slice(0, text.indexOf(stop[0]!));
  expect(await written({ ...o, stop })).toMatchObject({ text: before, ended: "stop" });
  const [beam] = await all({ ...o, prompt: ["A large animal"], stop, beams: 2 });
  expect(beam).toMatchObject({ ended: "stop" });
  expect(beam!.text).not.toContain(stop[0]);
});

test("the folder's generation_config.json is the default, is told, and gives way to options", async () => {
  const prompt = "A large animal";
  const plain = await written({ model, prompt, tokens: 5, temperature: 0, repetitionPenalty: 1.7 });
  const config = { do_sample: false, max_new_tokens: 5, repetition_penalty: 1.7, top_k: 0, num_beams: null };
  const at = beside({ "generation_config.json": { ...config, eos_token_id: [0, 1] } });
  const notes: string[] = [];
  const note = (text: string) => void notes.push(text);
  expect((await written({ model: at, prompt }, { note })).text).toBe(plain.text);
  expect((await written({ model: at, prompt, tokens: 3 }, { note })).tokens).toBe(3);
  expect(notes).toEqual([
    "from generation_config.json: temperature 0, repetitionPenalty 1.7, tokens 5",
    "from generation_config.json: temperature 0, repetitionPenalty 1.7",
  ]);
  // a token that ends texts by the file alone
  const free = await written({ model, prompt, tokens: 30, temperature: 0 });
  const [full] = [await loadTokenizer(model)];
  const ids = await full.encode(free.text);
  const stopped = beside({ "generation_config.json": { eos_token_id: [ids[4]] } });
  const early = await written({ model: stopped, prompt, tokens: 30, temperature: 0 });
  expect(early.ended).toBe("stop");
  expect(free.text.startsWith(early.text)).toBe(true);
  for (const [content, message] of [
    [{ temperature: "hot" }, /this generation_config.json is wrong: temperature: /],
    [[], /this generation_config.json is wrong: /],
  ] as const)
    await expect(written({ model: beside({ "generation_config.json": content }) })).rejects.toThrow(message);
  writeFileSync(join(at, "generation_config.json"), "{");
  await expect(written({ model: at })).rejects.toThrow(
    /this generation_config.json is not JSON\n {2}at .*\n {2}help: correct/,
  );
});

test("a question is put by the folder's chat template", async () => {
  const template =
    "{% for m in messages %}{{ m.role ~ ': ' ~ m.content ~ '\n' }}{% endfor %}{% if add_generation_prompt %}A:{% endif %}";
  const at = beside({ "tokenizer_config.json": { chat_template: template } });
  const o = { tokens: 8, temperature: 0 };
  const { text } = await written({ model: at, prompt: "hi", system: "be", ...o });
  expect(text).toBe((await written({ model, prompt: "system: be\nuser: hi\nA:", ...o })).text);
  expect((await written({ model: at, prompt: "hi", chat: true, ...o })).text).toBe(
    (await written({ model, prompt: "user: hi\nA:", ...o })).text,
  );
  await expect(written({ model, prompt: "hi", chat: true })).rejects.toThrow(
    /this model has no chat template\n.*\n {2}help: leave out --chat and --system/,
  );
});

test("a text is JSON of a schema or matches an expression, whatever the model has learnt", async () => {
  const jsonSchema = {
    type: "object",
    properties: {
      name: { type: "string" },
      legs: { type: "integer", minimum: 0, maximum: 8 },
      wild: { type: "boolean" },
    },
    required: ["name", "legs"],
  };
  const check = z.fromJSONSchema(jsonSchema as never);
  const path = join(mkdtempSync(join(folder(), "schema-")), "schema.json");
  writeFileSync(path, JSON.stringify(jsonSchema));
  for (const seed of [1, 2, 3])
    for (const tokens of [30, 60]) {
      const o = { model, prompt: "A large animal: ", tokens, seed, temperature: 2 };
      const { text } = await written({ ...o, jsonSchema: seed === 1 ? path : jsonSchema });
      expect(check.parse(JSON.parse(text))).toBeTruthy();
      expect((await written({ ...o, regex: "( [a-z]+){2,4}\\." })).text).toMatch(/^( [a-z]+){2,4}\.$/);
    }
  const [beam] = await all({ model, prompt: ["A"], tokens: 40, beams: 3, jsonSchema });
  expect(check.parse(JSON.parse(beam!.text))).toBeTruthy();
});

test("tokens are favoured or forbidden by id or as the vocabulary writes them", async () => {
  const o = { model, prompt: "A large", tokens: 6, temperature: 0 };
  const tokenizer = await loadTokenizer(model);
  const piece = tokenizer.token(70)!;
  const many = await written({ ...o, logitBias: { [piece]: 100 } });
  expect(many.text).toBe((await written({ ...o, logitBias: { 70: 100 } })).text);
  expect([...(await tokenizer.encode(many.text))].every((id) => id === 70)).toBe(true);
  expect(many.text.length).toBeGreaterThan(0);
});

test("an encoder–decoder writes from its prompts, one by one and side by side, drawn, by beams and held to an expression", async () => {
  const words = ["one two three four five six seven"];
  const tokenizer = await trainTokenizer(words, { kind: "bpe", vocabSize: 270, sentinels: 4 });
  const { t5 } = families;
  const sizes = { vocabSize: tokenizer.vocabSize, contextLength: 64, layers: 1, heads: 2, hiddenSize: 16 };
  const config = t5.config.parse({ ...sizes, initialDeviation: 0.6 });
  const parameters = parametersOf(t5, config);
  const at = join(folder(), "t5");
  await using session = await reference.open(initialise(parameters, 3));
  await saveModel(session, at, { family: t5, config, tokenizer, parameters, card: "" });
  const prompts = ["one two", "three four five six", "seven"];
  for (const o of [{ temperature: 1 }, { beams: 3 }, { temperature: 1, regex: "[a-z ]{4,9}" }]) {
    const several = await all({ model: at, prompt: prompts, tokens: 12, ...o });
    for (const [i, prompt] of prompts.entries()) {
      const alone = await written({ model: at, prompt, tokens: 12, ...o });
      expect(several[i]).toMatchObject({ text: alone.text, tokens: alone.tokens });
      if ("regex" in o) expect(alone.text).toMatch(/^[a-z ]{4,9}$/);
    }
    expect(new Set(several.map(({ text }) => text)).size).toBe(3);
  }
});

test("what was aborted says so", async () => {
  const stop = new AbortController();
  const run = generateText({ model, prompt: "A", tokens: 30, temperature: 0 }, { signal: stop.signal });
  await run.next();
  stop.abort();
  let step = await run.next();
  while (!step.done) step = await run.next();
  expect(step.value).toMatchObject({ ended: "aborted" });
});

test("what cannot be written is refused", async () => {
  const refusal = (o: Partial<GenerateTextOptions>) =>
    written({ model, prompt: "A", ...o }).catch((e: Error) => e.message);
  const broken = join(mkdtempSync(join(folder(), "broken-")), "schema.json");
  writeFileSync(broken, "{");
  expect(await refusal({ regex: "a", jsonSchema: {} })).toMatchInlineSnapshot(`
    "a text cannot be held to a schema and a regular expression at once
      at regex
      help: give one of them"
  `);
  expect(await refusal({ prompt: ["a", "b"] })).toMatchInlineSnapshot(`
    "one text is written at a time here
      at prompt
      help: generateTexts writes several"
  `);
  expect(await refusal({ logitBias: { "no such": 1 } })).toMatchInlineSnapshot(`
    "there is no token "no such" in the vocabulary
      at logitBias
      help: plinth tokenize shows tokens as they are written there"
  `);
  expect(await refusal({ jsonSchema: join(folder(), "absent.json") })).toMatch(/^the schema cannot be read: ENOENT/);
  expect(await refusal({ jsonSchema: broken })).toMatch(/^the schema is not JSON: /);
  await expect(all({ model })).rejects.toThrow(
    "there is nothing to write on\n  help: give a prompt, or --data with a file",
  );
  const rows = join(mkdtempSync(join(folder(), "rows-")), "rows.jsonl");
  writeFileSync(rows, '{"title": "a"}\n');
  await expect(all({ model, data: [rows] })).rejects.toThrow('this row has no text under "text"');
});
