/** Every bad input a user can give a command: one clear error with file, line and what to do, exit code 2. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { main } from "../../src/cli/index.js";
import { temporary } from "../temporary.js";

const folder = temporary("plinth-bad-input-");
const at = (name: string) => join(folder(), name);

/** Run a command line in this process; words that begin with `@` are files of the test's folder. */
async function plinth(line: string) {
  const out: string[] = [];
  const errors: string[] = [];
  const words = line.split(" ").map((word) => (word.startsWith("@") ? at(word.slice(1)) : word));
  const world = {
    cwd: folder(),
    columns: undefined,
    out: (text: string) => void out.push(text),
    error: (text: string) => void errors.push(text),
    onInterrupt: () => () => {},
    exit: () => {},
  };
  const code = await main(words, world);
  return { code, out: out.join(""), error: errors.join("") };
}

/** What a refused command says, after the remarks in front of the error; fails unless it ends with code 2. */
async function refused(line: string): Promise<string> {
  const { code, error } = await plinth(line);
  if (code !== 2) throw new Error(`exit code ${code}: ${error}`);
  return error.slice(error.lastIndexOf("plinth: ")).replaceAll(`${folder()}/`, "").trimEnd();
}

const texts = Array.from({ length: 60 }, (_, i) => ({
  text: `the ${i % 2 ? "cat" : "dog"} number ${i}`,
  label: i % 2 ? "cat" : "dog",
}));
const jsonl = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join("\n");
const small =
  "--tokenizer wordpiece --vocab-size 64 --size 20000 --context-length 16 --batch-size 2 --steps 2 --allow unknown-tokens";

beforeAll(async () => {
  const files: Record<string, string | Uint8Array> = {
    "good.jsonl": jsonl(texts),
    "empty.txt": "",
    "binary.txt": Uint8Array.from({ length: 4000 }, (_, i) => (i * 7919) % 256),
    "latin.txt": Uint8Array.from([...Buffer.from("a line\ncaf"), 0xe9, ...Buffer.from(" and more\n")]),
    "broken.jsonl": `${jsonl(texts.slice(0, 2))}\n{"text": "no end`,
    "quotes.csv": 'text,label\n"a",x\n"b,y\n',
    "unseen.jsonl": jsonl([...texts.slice(0, 20), { text: "a bird", label: "bird" }]),
    "long.jsonl": jsonl([...texts, { text: "word ".repeat(400), label: "cat" }]),
    "one-label.jsonl": jsonl(texts.map(({ text }) => ({ text, label: "cat" }))),
    "data.xlsx": "PK",
    "three.jsonl": jsonl(texts.slice(0, 3)),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
  const made = await plinth(`pretrain @good.jsonl --family bert ${small} --out @base --validation-share 0.3`);
  expect(made).toMatchObject({ code: 0 });
}, 120_000);

test("data that cannot be read", async () => {
  const sources = [
    "@none.txt",
    "@empty.txt",
    "@binary.txt",
    "@latin.txt",
    "@broken.jsonl",
    "@data.xlsx",
    "wordnet:definition",
  ];
  const said: string[] = [];
  for (const source of sources) said.push(await refused(`pretrain ${source} ${small} --out @refused`));
  expect(said.join("\n\n")).toMatchInlineSnapshot(`
    "plinth: there is no such file or folder
      at none.txt
      help: check the path

    plinth: the file is empty
      at empty.txt
      help: remove it or put text into it

    plinth: the file is not text: it holds zero bytes
      at binary.txt
      help: give a text file in UTF-8

    plinth: not valid UTF-8 at byte 10 (e9 20)
      at latin.txt:2
      help: save it as UTF-8, for example: iconv -f latin1 -t utf-8

    plinth: broken JSON: Unterminated string
      at broken.jsonl:3
      help: put one whole JSON object on each line

    plinth: files that end in .xlsx cannot be read as data
      at data.xlsx
      help: use one of .txt .text .md .jsonl .ndjson .csv .tsv .parquet, also with .gz or .zst

    plinth: there is no source called wordnet:definition
      help: the built-in sources are wordnet:definitions, wordnet:words, wordnet:categories; did you mean wordnet:definitions?"
  `);
});

test("data that does not hold what is asked of it", async () => {
  const said = [
    await refused(`pretrain @good.jsonl --text body ${small} --out @refused`),
    await refused(
      `pretrain @good.jsonl --tokenizer characters --size 20000 --context-length 4096 --steps 2 --documents joined --out @refused`,
    ),
    await refused("adapt @quotes.csv --base @base --out @refused"),
    await refused("adapt @good.jsonl --label kind --base @base --out @refused"),
    await refused("adapt @good.jsonl --validation @good.jsonl --test @unseen.jsonl --base @base --out @refused"),
    await refused("adapt @long.jsonl --base @base --out @refused"),
    await refused("adapt @one-label.jsonl --base @base --out @refused"),
    await refused("adapt @good.jsonl --examples 1000 --base @base --out @refused"),
    await refused("adapt @one-label.jsonl --allow one-label --base @base --out @refused"),
    await refused("adapt @three.jsonl --base @base --out @refused"),
    await refused(`pretrain @good.jsonl --family bert ${small} --validation-share 0.0001 --out @refused`),
  ];
  expect(said.join("\n\n")).toMatchInlineSnapshot(`
    "plinth: there is no column "body"
      at good.jsonl:1
      help: the columns are text, label

    plinth: the corpus has 1016 tokens, less than one context of 4096 and the token after it
      help: add text, or use a contextLength below 1016

    plinth: broken table: Quote Not Closed: the parsing is finished with an opening quote at line 3
      at quotes.csv:3
      help: close every double quote, and write a quote inside a text as ""

    plinth: train: 41 examples have no label; also unlabelled, unlabelled
      at good.jsonl:1, good.jsonl:2, good.jsonl:3
      help: label them, remove them, or name the column of the label; what is known and accepted can be allowed: --allow unlabelled

    plinth: validation: 60 texts of validation (100 %) are in train too, so the score would be too good; also leakage, leakage, unseen-label
      at good.jsonl:1 = good.jsonl:1, good.jsonl:2 = good.jsonl:2, good.jsonl:3 = good.jsonl:3
      help: remove them from one side, or allow leakage knowingly; what is known and accepted can be allowed: --allow leakage

    plinth: train: 1 example is longer than 16 tokens (2.4 %; overflow: error); also unknown-tokens
      at long.jsonl:61
      help: use a longer contextLength, or set overflow to "truncate", "split" or "drop"; what is known and accepted can be allowed: --allow too-long

    plinth: train: all examples have the same label
      at cat
      help: there is nothing to tell apart; what is known and accepted can be allowed: --allow one-label

    plinth: 1000 examples were asked for, there are 41
      help: ask for fewer

    plinth: every training example has the label "cat"
      help: there must be two labels or more

    plinth: no examples are left for validation
      help: give more data, or name --validation and --test

    plinth: no text is left to validate on
      help: name --validation, or raise --validation-share"
  `);
});

test("models that are not there, cut short, foreign, or do not fit", async () => {
  const copy = (name: string) => {
    cpSync(at("base/model"), at(name), { recursive: true });
    return at(name);
  };
  truncateSync(join(copy("cut"), "model.safetensors"), 3000);
  writeFileSync(join(copy("foreign"), "model.safetensors"), "not weights at all, but a text");
  const labelled = copy("labelled");
  const other = copy("other");
  const config = JSON.parse(readFileSync(join(other, "config.json"), "utf8"));
  writeFileSync(join(other, "config.json"), JSON.stringify({ ...config, vocab_size: 12 }));
  writeFileSync(join(labelled, "config.json"), JSON.stringify({ ...config, id2label: { 0: "cat", 1: "dog" } }));
  writeFileSync(join(copy("unknown"), "config.json"), JSON.stringify({ ...config, model_type: "bloom" }));
  const said: string[] = [];
  for (const base of ["@none", "@cut", "@foreign", "@other", "@unknown"])
    said.push(await refused(`adapt @good.jsonl --base ${base} --out @refused`));
  said.push(await refused("predict --model @base"));
  said.push(await refused("predict a --model @base"));
  said.push(await refused("generate --model @base"));
  said.push(await refused("predict --model @labelled a"));
  expect(said.join("\n\n")).toMatchInlineSnapshot(`
    "plinth: there is no model at none
      help: name a model folder, a run that finished, or plinth-tiny-en, which travels with plinth

    plinth: cut/model.safetensors: its header claims 4488 bytes, but the file has 2992 after the length
      help: the file is truncated, damaged or not safetensors: download or save it again, or name another file

    plinth: foreign/model.safetensors: its header claims 7451598620781212000 bytes; no header is that long
      help: the file is truncated, damaged or not safetensors: download or save it again, or name another file

    plinth: the tokeniser has 45 entries, the model's embedding 12 rows
      at other
      help: use the tokeniser that the model was trained with

    plinth: config.json: model_type "bloom" is not one plinth has
      help: supported: gpt2, llama, mistral, qwen2, qwen3, smollm3, bert, roberta, xlm-roberta, distilbert, t5, mt5, bart

    plinth: there is nothing to classify
      help: give a text, or --data with a file

    plinth: base is no classifier: its config.json has no labels
      help: adapt it first: npx plinth adapt --help

    plinth: a bert model fills in masked words and cannot write on
      help: generate with one that writes, such as gpt, llama or t5

    plinth: labelled does not fit the model (41 tensors wanted, 37 found)
      missing: bert.pooler.dense.weight
      missing: bert.pooler.dense.bias
      missing: classifier.weight
      missing: classifier.bias
      help: use the configuration that these weights were trained with"
  `);
});

test("runs that cannot be written or gone on with", async () => {
  copyFileSync(at("good.jsonl"), at("file"));
  mkdirSync(at("damaged"));
  writeFileSync(at("damaged/run.json"), "{");
  const record = JSON.parse(readFileSync(at("base/run.json"), "utf8"));
  mkdirSync(at("other-kind"));
  writeFileSync(at("other-kind/run.json"), JSON.stringify({ ...record, config: { kind: "dance" } }));
  cpSync(at("base"), at("foreign-run"), { recursive: true });
  rmSync(at("foreign-run/checkpoints"), { recursive: true });
  mkdirSync(at("foreign-run/checkpoints"));
  copyFileSync(at("base/model/model.safetensors"), at("foreign-run/checkpoints/step-00000001.safetensors"));
  const said = [
    await refused(`pretrain @good.jsonl --family bert ${small} --out @base`),
    await refused(
      `pretrain @good.jsonl --family bert ${small} --batch-size 4 --out @base --validation-share 0.3 --resume`,
    ),
    await refused(`pretrain @good.jsonl --family bert ${small} --out @damaged --resume`),
    await refused(`pretrain @good.jsonl --family bert ${small} --out @file/run`),
    await refused(`pretrain @good.jsonl --family bert --epochs 1 ${small} --out @refused`),
    await refused("verify-resume @none"),
    await refused("verify-resume @other-kind"),
    await refused(`pretrain @good.jsonl --family bert ${small} --out @foreign-run --validation-share 0.3 --resume`),
  ];
  expect(said.join("\n\n")).toMatchInlineSnapshot(`
    "plinth: this folder already holds a run
      at base
      help: resume it (--resume), replace it (--replace), or choose another folder

    plinth: this folder holds another run: config.batchSize was 2, now 4
      at base
      help: resume it with the settings it was started with, or choose another folder

    plinth: run.json is damaged or of another program
      at damaged/run.json
      help: start the run again in another folder

    plinth: cannot write file/.cache: a part of the path is a file, not a folder (ENOTDIR)
      help: choose another folder

    plinth: steps, epochs and minutes are three ways to say one thing
      help: give one of them

    plinth: this folder holds no run
      at none
      help: name a folder with a run.json in it

    plinth: runs of kind "dance" cannot be taken again
      at other-kind
      help: those can: adapt text-classification, pretrain, adapt language-modelling, adapt sentence-pairs, adapt text-to-text

    plinth: no checkpoint of this run can be used: foreign-run/checkpoints/step-00000001.safetensors is not a checkpoint of this version
      at foreign-run/checkpoints
      help: start the run again in another folder"
  `);
});

test.skipIf(process.platform !== "linux")("a folder that may not be written to", async () => {
  const said = await refused(`pretrain @good.jsonl --family bert ${small} --out /sys/plinth`);
  // no permission, or mounted so that nobody may write
  expect(said).toMatch(/^plinth: cannot write \/sys\/\S*: .*(permission|read)/);
});

test("nothing that was saved is lost by a refusal", async () => {
  const before = readFileSync(at("base/model/model.safetensors"));
  await refused(`pretrain @broken.jsonl ${small} --out @base --replace`);
  expect(readFileSync(at("base/model/model.safetensors")).equals(before)).toBe(true);
});
