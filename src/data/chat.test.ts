/** Chat templates and SentencePiece-like tokenisers against fixtures/chat.json, which fixtures/chat.py writes. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { examine, examineChat, loadTokenizer, type Message, renderChat, type Tokenizer } from "./index.js";
import type { TokenizerJson } from "./vocabulary.js";

const folder = temporary("plinth-chat-");
const fixture = JSON.parse(readFileSync(new URL("fixtures/chat.json", import.meta.url), "utf8")) as {
  specials: Record<string, string>;
  chats: Record<string, Message[]>;
  templates: Record<string, { template: string; texts: Record<string, string | null> }>;
  tokenizers: Record<
    string,
    { json: TokenizerJson; texts: { text: string; ids: number[]; specials: number[]; decoded: string }[] }
  >;
};
const { specials, chats, templates } = fixture;

test.each(Object.entries(templates))("a chat is rendered as transformers renders it: %s", (_, { template, texts }) => {
  for (const [name, messages] of Object.entries(chats))
    for (const addGenerationPrompt of [false, true]) {
      const expected = texts[`${name}${addGenerationPrompt ? " asked" : ""}`];
      const found = () => renderChat(messages, { template, specials, addGenerationPrompt });
      if (typeof expected === "string") expect(found()).toBe(expected);
      else expect(found).toThrow(/^the chat template does not take these messages: .*(alternate|supported)/);
    }
});

/** A folder with a tokeniser of the fixture and a tokenizer_config.json. */
function saved(name: string, config: object, template?: string, json: object = fixture.tokenizers[name]!.json): string {
  const at = mkdtempSync(join(folder(), name));
  writeFileSync(join(at, "tokenizer.json"), JSON.stringify(json));
  writeFileSync(join(at, "tokenizer_config.json"), JSON.stringify(config));
  if (template !== undefined) writeFileSync(join(at, "chat_template.jinja"), template);
  return at;
}

test.each(Object.entries(fixture.tokenizers))(
  "a %s tokeniser encodes and decodes as the tokenizers library",
  async (name, { texts }) => {
    const tokenizer = await loadTokenizer(saved(name, {}));
    for (const { text, ids, specials: around, decoded } of texts) {
      expect([...(await tokenizer.encode(text))]).toEqual(ids);
      expect([...(await tokenizer.encode(text, { specials: true }))]).toEqual(around);
      expect(await tokenizer.decode(ids)).toBe(decoded);
    }
    const batch = await tokenizer.encodeBatch(
      texts.map(({ text }) => text),
      { specials: true },
    );
    expect(batch.map((ids) => [...ids])).toEqual(texts.map((one) => one.specials));
  },
);

test.each(Object.entries(fixture.tokenizers))(
  "the texts of single %s tokens are, one after another, the text",
  async (name, { texts }) => {
    const tokenizer = await loadTokenizer(saved(name, {}));
    const { bytes, stripsSpace } = tokenizer.texts();
    expect(stripsSpace).toBe(true);
    for (const { ids, decoded } of texts) {
      const joined = Buffer.concat(ids.map((id) => bytes[id] ?? new Uint8Array())).toString("utf8");
      expect(joined.replace(/^ /, "")).toBe(decoded);
    }
    expect(bytes[tokenizer.special.bos!]).toBeUndefined();
  },
);

const chatml = templates["chatml"]!.template;
const withEnds = { "<|im_start|>": 1, "<|im_end|>": 1 };
const llamaJson = (tokens: object): object => {
  const { json } = fixture.tokenizers["llama"]!;
  const next = 1 + Math.max(...Object.values(json.model.vocab as Record<string, number>));
  const added = Object.keys(tokens).map((content, i) => ({
    ...json.added_tokens[0],
    id: next + i,
    content,
    special: true,
  }));
  return { ...json, added_tokens: [...json.added_tokens, ...added] };
};

test("a template is found as a text, under a name, or in a file of its own, with special tokens as texts or objects", async () => {
  const config = {
    bos_token: { content: "<s>", lstrip: false },
    eos_token: "</s>",
    pad_token: null,
    model_max_length: 9,
  };
  const plain = await loadTokenizer(saved("llama", { ...config, chat_template: chatml }));
  expect(plain.chat).toEqual({ template: chatml, specials: { bos_token: "<s>", eos_token: "</s>" } });
  const list = [
    { name: "tool_use", template: "tools" },
    { name: "default", template: chatml },
  ];
  expect((await loadTokenizer(saved("llama", { ...config, chat_template: list }))).chat?.template).toBe(chatml);
  expect((await loadTokenizer(saved("llama", { ...config, chat_template: "old" }, chatml))).chat?.template).toBe(
    chatml,
  );
  expect((await loadTokenizer(saved("llama", config))).chat).toBeUndefined();
  await expect(loadTokenizer(saved("llama", { chat_template: list.slice(0, 1) }))).rejects.toThrow(
    /there is no chat template called default\n.*\n {2}help: there are tool_use/,
  );
});

test("a tokeniser takes its template and its special tokens along when it is saved", async () => {
  const config = { bos_token: "<s>", eos_token: "<|im_end|>", chat_template: chatml };
  const tokenizer = await loadTokenizer(saved("llama", config, undefined, llamaJson(withEnds)));
  expect(tokenizer.special.eos).toBe(tokenizer.id("<|im_end|>"));
  const at = join(folder(), "again");
  await tokenizer.save(at);
  const again = await loadTokenizer(at);
  expect(again.chat).toEqual({ template: chatml, specials: expect.objectContaining({ eos_token: "<|im_end|>" }) });
  expect(again.special).toEqual(tokenizer.special);
});

const codes = async (tokenizer: Tokenizer, template: string, named: Record<string, string> = specials) =>
  (await examineChat(tokenizer, { template, specials: named })).map(({ code }) => code);

test("a beginning that is written twice, a missing end, unknown tokens and a missing beginning of answers are found", async () => {
  const tokenizer = await loadTokenizer(saved("llama", {}, undefined, llamaJson(withEnds)));
  expect(await codes(tokenizer, chatml)).toEqual([]);
  expect(await codes(tokenizer, templates["mistral"]!.template)).toEqual(["double-bos"]);
  expect(await codes(tokenizer, "{% for m in messages %}{{ m.role ~ ': ' ~ m.content ~ '\n' }}{% endfor %}")).toEqual([
    "missing-eos",
    "no-generation-prompt",
  ]);
  expect(await codes(tokenizer, chatml, { eos_token: "<|none|>" })).toEqual(["unknown-special"]);
  const [double] = await examineChat(tokenizer, { template: templates["mistral"]!.template, specials });
  expect(double?.message).toBe("the chat template writes <s>, and the tokeniser adds another");
});

test("the doctor examines the chat template of the tokeniser that it measures with", async () => {
  const at = saved("llama", { ...specials, chat_template: templates["mistral"]!.template });
  const rows = [{ at: "a", fields: { text: "some words" } }];
  const { findings } = await examine(
    { train: rows },
    { task: "language-modelling", tokenizer: await loadTokenizer(at) },
  );
  expect(findings.map(({ code }) => code)).toContain("double-bos");
});

test("what a tokeniser's folder says wrongly is refused", async () => {
  const at = saved("llama", []);
  await expect(loadTokenizer(at)).rejects.toThrow("this file is not a JSON object");
  const json = { ...fixture.tokenizers["llama"]!.json, decoder: { type: "WordPiece", prefix: "##", cleanup: true } };
  const pieces = await loadTokenizer(saved("llama", {}, undefined, json));
  expect(() => pieces.texts()).toThrow(
    "a decoder of the kind WordPiece says nothing of single tokens\n  help: constraints need a tokeniser whose tokens are joined",
  );
});

test("what cannot be rendered is refused", () => {
  const render = (messages: unknown, template = chatml) => renderChat(messages as Message[], { template, specials });
  expect(() => render([])).toThrow("a chat without messages\n  help: give at least one");
  expect(() => render([{ role: "user" }])).toThrow("message 1 of a chat has no content");
  expect(() => render([{ content: "a" }])).toThrow("message 1 of a chat has no role");
  expect(() => render(chats["question"], "{% if %}")).toThrow(/^the chat template is not Jinja: /);
  expect(() => render(chats["question"], "{{ nothing() }}")).toThrow(
    /^the chat template does not take these messages: /,
  );
});
