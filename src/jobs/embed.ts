/** Vectors of texts, and which of them are nearest to a question. */
import { z } from "zod";
import { type Row, rows } from "../data/index.js";
import { fail } from "../ir/index.js";
import { type Embedding, openEmbedder } from "./embedder.js";
import { optionsOf } from "./options.js";

/** What `embed` takes. */
export const embedOptions = z.object({
  texts: z.array(z.string()).default([]).describe("texts to embed"),
  data: z.array(z.string()).default([]).describe("files of texts to embed"),
  model: z.string().describe("a model folder, such as one of sentence-transformers, or a run that finished"),
  pooling: z
    .enum(["mean", "cls", "last", "max"])
    .optional()
    .describe("how the tokens' vectors become one: as the model's folder says, else mean"),
  normalise: z.boolean().optional().describe("whether vectors have length 1: as the model's folder says, else yes"),
  prompt: z.string().optional().describe("the folder's prompt to put before each text, by its name, such as query"),
  text: z.string().default("text").describe("column of the text"),
  documents: z.enum(["line", "paragraph"]).default("line").describe("what a text of a .txt file is"),
  overflow: z
    .enum(["error", "truncate"])
    .default("truncate")
    .describe("what happens to texts longer than the model reads"),
  batchSize: z.int().positive().default(32).describe("texts at a time, of about the same length"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where programs run"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
});
export type EmbedOptions = z.input<typeof embedOptions>;

/**
 * Vectors of texts, in their order. Throws `checkpoint` and `tokenizer` for a folder that is no model, `data` for an empty text,
 * `config` for a pooling or a prompt that there is not.
 */
export async function* embed(given: EmbedOptions): AsyncGenerator<Embedding> {
  const o = optionsOf(embedOptions, given);
  await using embedder = await openEmbedder(o);
  yield* embedder.embed(textsToEmbed(o));
}

/** The texts of the options, then those of the files. Throws `usage` where there are none. */
export async function* textsToEmbed(o: z.output<typeof embedOptions>): AsyncGenerator<Row> {
  if (!o.texts.length && !o.data.length)
    throw fail("usage", "there is nothing to embed", "give a text, or --data with a file");
  for (const [i, text] of o.texts.entries()) yield { at: `text ${i + 1}`, fields: { [o.text]: text } };
  for (const source of o.data) yield* rows(source, { text: o.text, documents: o.documents });
}

/** A text, and the cosine of the angle between its vector and the question's. */
export interface Neighbour {
  readonly id: string;
  readonly text: string;
  readonly cosine: number;
}

/** The `top` texts whose vectors are nearest to one, the nearest first; of equals, the first. */
export async function nearestTo(
  to: Float32Array,
  { among, top }: { among: AsyncIterable<Embedding>; top: number },
): Promise<Neighbour[]> {
  const found: Neighbour[] = [];
  for await (const { id, text, vector } of among) {
    const near = { id, text, cosine: cosine(to, vector) };
    if (found.length === top && near.cosine <= found.at(-1)!.cosine) continue;
    const place = found.findIndex((other) => other.cosine < near.cosine);
    found.splice(place < 0 ? found.length : place, 0, near);
    if (found.length > top) found.pop();
  }
  return found;
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, x, y] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    x += a[i]! * a[i]!;
    y += b[i]! * b[i]!;
  }
  return dot / Math.max(Math.sqrt(x * y), 1e-12);
}
