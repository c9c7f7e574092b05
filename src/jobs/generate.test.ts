import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { type GenerateTextOptions, generateText } from "./generate.js";
import { pretrain } from "./pretrain.js";
import type { Written } from "./prompt.js";

const folder = temporary("plinth-generate-");
const model = fileURLToPath(new URL("../../test/fixtures/gpt2-folder", import.meta.url));

async function written(o: GenerateTextOptions): Promise<Written & { pieces: number }> {
  const run = generateText(o);
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
