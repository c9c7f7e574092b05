/** `plinth tokenize`: learn a tokeniser from text, or look at what one makes of a text. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { documents, loadTokenizer, type Tokenizer, tokenizerKinds, trainTokenizer } from "../data/index.js";
import { fail } from "../ir/index.js";
import { command } from "./command.js";

const options = z.object({
  data: z
    .array(z.string())
    .default([])
    .describe("text to learn from, or to count with --tokenizer: files, folders, globs, or a built-in source"),
  text: z.string().optional().describe("show the pieces of this text; needs --tokenizer"),
  tokenizer: z.string().optional().describe("look at this one (a tokenizer.json or a folder) instead of learning one"),
  kind: z.enum(tokenizerKinds).default("bpe").describe("byte-level pairs, word pieces, whole words, or characters"),
  vocabSize: z.int().positive().default(8192).describe("most entries of the vocabulary"),
  minFrequency: z.int().positive().default(2).describe("what is seen less often gets no entry of its own"),
  column: z.string().default("text").describe("the column that holds the text, in tables and JSON lines"),
  out: z.string().default("runs/tokenizer").describe("the folder that tokenizer.json is written to"),
  replace: z.boolean().default(false).describe("write over a tokeniser that is there already"),
});
type Options = z.output<typeof options>;

async function* texts({ data, column }: Options): AsyncGenerator<string> {
  for await (const { text } of documents(data, { text: column })) yield text;
}

const describe = (tokenizer: Tokenizer) => ({
  model: tokenizer.json.model.type,
  vocabSize: tokenizer.vocabSize,
  special: tokenizer.special,
  hash: tokenizer.hash,
});

const facts = ({ model, vocabSize, special, hash }: ReturnType<typeof describe>) =>
  [
    `${model}, ${vocabSize.toLocaleString("en-US")} entries, sha256 ${hash.slice(0, 12)}`,
    `special: ${
      Object.entries(special)
        .map(([role, id]) => `${role} ${id}`)
        .join(", ") || "none"
    }`,
  ].join("\n");

/** How long a corpus is in tokens, and how fast it was cut. */
async function count(tokenizer: Tokenizer, o: Options) {
  const start = performance.now();
  let [tokens, bytes, held, unknown] = [0, 0, [] as string[], 0];
  const flush = async () => {
    for (const ids of await tokenizer.encodeBatch(held)) {
      tokens += ids.length;
      if (tokenizer.special.unk !== undefined) unknown += ids.filter((id) => id === tokenizer.special.unk).length;
    }
    held = [];
  };
  for await (const text of texts(o)) {
    bytes += Buffer.byteLength(text);
    held.push(text);
    if (held.length >= 1024) await flush();
  }
  await flush();
  const seconds = (performance.now() - start) / 1000;
  return { tokens, bytes, unknown, bytesPerToken: bytes / tokens, tokensPerSecond: Math.round(tokens / seconds) };
}

async function pieces(tokenizer: Tokenizer, text: string) {
  const ids = [...(await tokenizer.encode(text))];
  return { ids, pieces: ids.map((id) => tokenizer.token(id) ?? ""), decoded: await tokenizer.decode(ids) };
}

async function look(o: Options) {
  const tokenizer = await loadTokenizer(o.tokenizer!);
  return {
    ...describe(tokenizer),
    ...(o.text === undefined ? {} : { text: await pieces(tokenizer, o.text) }),
    ...(o.data.length === 0 ? {} : { corpus: await count(tokenizer, o) }),
  };
}

async function learn(o: Options) {
  if (o.data.length === 0) {
    throw fail("usage", "there is nothing to learn from", "name some text: plinth tokenize wordnet:definitions");
  }
  if (existsSync(join(o.out, "tokenizer.json")) && !o.replace) {
    throw fail("usage", "a tokeniser is there already", "choose another folder with --out, or add --replace", o.out);
  }
  const start = performance.now();
  const tokenizer = await trainTokenizer(texts(o), {
    kind: o.kind,
    vocabSize: o.vocabSize,
    minFrequency: o.minFrequency,
  });
  await tokenizer.save(o.out);
  const seconds = (performance.now() - start) / 1000;
  return { ...describe(tokenizer), out: join(o.out, "tokenizer.json"), seconds, corpus: await count(tokenizer, o) };
}

const corpusText = ({ tokens, bytesPerToken, unknown, tokensPerSecond }: Awaited<ReturnType<typeof count>>) => {
  const rate = `${bytesPerToken.toFixed(2)} bytes a token, ${tokensPerSecond.toLocaleString("en-US")} tokens/s`;
  return `${tokens.toLocaleString("en-US")} tokens, ${rate}${unknown ? `, ${unknown} of them unknown` : ""}`;
};

/** Writes or reads a standard tokenizer.json. */
export const tokenize = command({
  options,
  positional: ["data"],
  examples: [
    {
      line: "npx plinth tokenize wordnet:definitions --vocab-size 4096 --out runs/tokenizer --replace",
      why: "learn a byte-level vocabulary from text that travels with plinth; your own files work the same",
    },
    {
      line: 'npx plinth tokenize --tokenizer runs/tokenizer --text "a large feline"',
      why: "look at the pieces of a text",
    },
  ],
  async run(o, context) {
    if (o.tokenizer === undefined && o.text !== undefined) {
      throw fail("usage", "--text needs --tokenizer", "say which tokeniser to look at");
    }
    if (o.tokenizer === undefined) {
      const learned = await learn(o);
      context.emit(learned);
      context.print(`${facts(learned)}\n${corpusText(learned.corpus)}`);
      context.print(`written to ${learned.out} in ${learned.seconds.toFixed(1)} s`);
      return undefined;
    }
    const seen = await look(o);
    context.emit(seen);
    context.print(facts(seen));
    if (seen.corpus) context.print(corpusText(seen.corpus));
    if (seen.text) {
      const shown = seen.text.pieces.map((piece, i) => `  ${String(seen.text?.ids[i]).padStart(6)}  ${piece}`);
      context.print([...shown, `decoded: ${JSON.stringify(seen.text.decoded)}`].join("\n"));
    }
    return undefined;
  },
});
