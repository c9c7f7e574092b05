/** What an export leaves: files that answer as the model does, and the folder around them. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Exported, type ExportOptions, exportModel } from "../src/index.js";
import { precisions, requireFits } from "../src/jobs/export-onnx.js";
import { openOnnxFile } from "../src/runtime/index.js";
import { temporary } from "./temporary.js";
import { sentences, type TinyOptions, writeTiny } from "./tiny-saved.js";

const folder = temporary("plinth-export-");
const all = async (options: ExportOptions): Promise<Exported[]> => {
  const found: Exported[] = [];
  for await (const one of exportModel(options)) found.push(one);
  return found;
};
const json = async (...path: string[]) => JSON.parse(await readFile(join(folder(), ...path), "utf8"));
const labels = ["animal", "food", "weather"];

const kinds: [name: string, files: string[], o: TinyOptions][] = [
  ["bert", ["model"], { family: "bert" }],
  ["classifier", ["model"], { family: "bert", labels, pooling: "cls" }],
  ["gpt", ["model"], { family: "gpt", begins: true }],
  ["llama", ["model"], { family: "llama", config: { keyValueHeads: 2, window: 6, queryKeyNorm: true } }],
  ["t5", ["encoder_model", "decoder_model_merged"], { family: "t5", config: { activation: "geglu", tied: false } }],
];

describe.each(kinds)("%s", (name, files, o) => {
  test("answers from each ONNX file as it does here, padded or not, with its past or without", async () => {
    await writeTiny(join(folder(), name), o);
    const done = await all({ model: join(folder(), name), out: join(folder(), `${name}-out`) });
    const written = done.filter((one) => one.kind === "onnx");
    const wanted = ["f32", "f16", "int8"].flatMap((precision) =>
      files.map((file) => `${file}${precisions[precision as "f32"].suffix}.onnx`),
    );
    expect(written.map(({ file }) => file.split("/").at(-1))).toEqual(wanted);
    for (const { precision, bytes, largest, mean } of written) {
      expect(bytes).toBeGreaterThan(1000);
      expect(precision === "f32" ? largest : mean).toBeLessThanOrEqual(precisions[precision].tolerance);
      // the files were run: numbers that are rounded are not the same
      if (precision === "int8") expect(mean).toBeGreaterThan(0);
    }
    const around = await readdir(join(folder(), `${name}-out`));
    expect(around).toEqual(expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "onnx"]));
  });
});

test("labels, ends of texts and what a text begins with are said in the folder's files", async () => {
  const classifier = await json("classifier-out", "config.json");
  expect(classifier.architectures).toEqual(["BertForSequenceClassification"]);
  expect(classifier.id2label).toEqual({ 0: "animal", 1: "food", 2: "weather" });
  expect((await json("bert-out", "config.json")).architectures).toEqual(["BertForMaskedLM"]);
  expect((await json("gpt-out", "generation_config.json")).eos_token_id).toBe(0);
  const { post_processor } = await json("gpt-out", "tokenizer.json");
  expect(JSON.stringify(post_processor)).toContain("<|endoftext|>");
  expect((await json("gpt-out", "tokenizer_config.json")).model_max_length).toBe(48);
  expect(await json("t5-out", "generation_config.json")).toMatchObject({ decoder_start_token_id: 0, eos_token_id: 1 });
});

test("a template and a generation config of the folder go along as they are", async () => {
  const template = "{% for message in messages %}{{ message.content }}{% endfor %}";
  await writeTiny(join(folder(), "chat"), { family: "llama" });
  await writeFile(join(folder(), "chat", "chat_template.jinja"), template);
  await writeFile(join(folder(), "chat", "generation_config.json"), '{"temperature":0.6}');
  await all({ model: join(folder(), "chat"), out: join(folder(), "chat-out"), precisions: ["f32"] });
  expect(await readFile(join(folder(), "chat-out", "chat_template.jinja"), "utf8")).toBe(template);
  expect(await json("chat-out", "generation_config.json")).toEqual({ temperature: 0.6 });
});

test("sentence-transformers gets its modules: the body, the pooling it was trained with, vectors of length 1", async () => {
  const out = join(folder(), "sentences");
  await all({
    model: join(folder(), "bert"),
    out,
    format: ["sentence-transformers"],
    body: true,
    pooling: "cls",
  });
  expect((await json("sentences", "modules.json")).map((one: { path: string }) => one.path)).toEqual([
    "",
    "1_Pooling",
    "2_Normalize",
  ]);
  expect(await json("sentences", "1_Pooling", "config.json")).toMatchObject({
    word_embedding_dimension: 32,
    pooling_mode_cls_token: true,
  });
  expect((await json("sentences", "config.json")).architectures).toEqual(["BertModel"]);
  expect(existsSync(join(out, "onnx"))).toBe(false);
  // and an export of the export keeps them
  await all({ model: out, out: join(folder(), "again"), format: ["sentence-transformers"] });
  expect((await json("again", "1_Pooling", "config.json")).pooling_mode_cls_token).toBe(true);
});

test("held-out texts of your own are what the files are held to", async () => {
  const data = join(folder(), "held-out.jsonl");
  await writeFile(data, sentences.map((text) => JSON.stringify({ text })).join("\n"));
  const options = { model: join(folder(), "bert"), format: ["onnx" as const], precisions: ["int8" as const] };
  const [few] = await all({ ...options, out: join(folder(), "few"), data: [data], samples: 1 });
  const [more] = await all({ ...options, out: join(folder(), "more"), data: [data] });
  expect([few, more].map((one) => one?.kind === "onnx" && one.mean > 0)).toEqual([true, true]);
  expect(few).not.toMatchObject({ mean: (more as { mean: number }).mean });
});

test("data without a text is an error before an ONNX file is written", async () => {
  const data = join(folder(), "other-column.jsonl");
  await writeFile(data, '{"words":"a bird"}\n');
  const out = join(folder(), "no-text");
  await expect(all({ model: join(folder(), "bert"), out, data: [data] })).rejects.toThrow(
    /there is no text in column "text" to hold the files to\n.*other-column.jsonl\n.*--text/,
  );
  expect(existsSync(join(out, "onnx"))).toBe(false);
});

test("a file that answers differently is an error, and does not stay", async () => {
  // one number of each vector, which no word reads, is so large that a byte leaves nothing of the others
  const change = (name: string, values: Float32Array) => {
    if (name === "cls.predictions.transform.LayerNorm.weight") values[0] = 3000;
    if (name.endsWith("word_embeddings.weight")) for (let i = 0; i < values.length; i += 32) values[i] = 0;
  };
  await writeTiny(join(folder(), "coarse"), { family: "bert", change });
  const out = join(folder(), "coarse-out");
  await expect(all({ model: join(folder(), "coarse"), out, format: ["onnx"] })).rejects.toThrow(
    /stored as int8, the model's answers differ by .* of their size, more than 0.2\n.*\n.*leave this precision out: --precisions f32/,
  );
  expect(await readdir(join(out, "onnx"))).toEqual(["model.onnx", "model_fp16.onnx"]);
});

test("a weight that half precision has no number for is named", async () => {
  await writeTiny(join(folder(), "huge"), { family: "bert", config: { initialDeviation: 1e5 } });
  const options = { model: join(folder(), "huge"), out: join(folder(), "huge-out"), precisions: ["f16" as const] };
  await expect(all(options)).rejects.toThrow(
    /a weight of -?\d+.* is no half-precision number\n {2}at bert\..*\n.*store it as f32/,
  );
});

test("a model that is too large for a file, and a file that is no model, are refused", async () => {
  expect(() => requireFits("onnx/model.onnx", 2.4e9)).toThrow(
    /2\.4 GB of weights do not fit in an ONNX file, which ends at 2 GB\n.*\n.*--precisions f16,int8/,
  );
  await writeFile(join(folder(), "none.onnx"), "no model");
  await expect(openOnnxFile(join(folder(), "none.onnx"))).rejects.toThrow(/ONNX Runtime does not load the file: /);
});

describe("is refused", () => {
  const refused = (options: Partial<ExportOptions>, words: RegExp) =>
    expect(all({ model: join(folder(), "bert"), out: join(folder(), "refused"), ...options })).rejects.toThrow(words);
  test("into the model's own folder, and into one that has something in it", async () => {
    await refused({ out: join(folder(), "bert") }, /the model would be written over itself\n.*\n.*name another folder/);
    await mkdir(join(folder(), "full"), { recursive: true });
    await writeFile(join(folder(), "full", "a.txt"), "mine");
    await refused({ out: join(folder(), "full") }, /there is something in this folder already\n.*\n.*add --replace/);
  });
  test("for transformers where it has no such model or another head", async () => {
    await writeTiny(join(folder(), "own"), { family: "gpt", config: { norm: "rmsNorm" } });
    await refused(
      { model: join(folder(), "own") },
      /transformers has no model like this one: its model_type plinth-gpt is plinth's own\n.*--format onnx/,
    );
    await writeTiny(join(folder(), "mean"), { family: "bert", labels, pooling: "mean" });
    await refused(
      { model: join(folder(), "mean") },
      /transformers' classifiers read the first token, this one was trained on mean pooling\n.*--format onnx.*--pooling cls/,
    );
    await writeTiny(join(folder(), "gpt-labels"), { family: "gpt", labels, pooling: "last" });
    await refused(
      { model: join(folder(), "gpt-labels") },
      /transformers' classifiers of family gpt have another head than plinth's\n.*--format onnx/,
    );
  });
  test("for sentence-transformers where the model is an encoder–decoder or pools in another way", async () => {
    await refused(
      { model: join(folder(), "t5"), format: ["sentence-transformers"] },
      /sentence-transformers reads no t5 model that plinth writes/,
    );
    const file = join(folder(), "sentences", "1_Pooling", "config.json");
    await writeFile(file, '{"pooling_mode_weightedmean_tokens": true}');
    await refused({ model: join(folder(), "sentences") }, /pooling by weightedmean is not supported/);
  });
  test("with a tokenizer_config.json that is damaged", async () => {
    await writeTiny(join(folder(), "damaged"), { family: "llama" });
    await writeFile(join(folder(), "damaged", "tokenizer_config.json"), "{");
    await refused({ model: join(folder(), "damaged"), replace: true }, /JSON/);
  });
});
