/** `plinth embed`: vectors of texts, or which texts are nearest to a question. */
import { z } from "zod";
import {
  type Embedder,
  type Embedding,
  embedOptions,
  lineOf,
  nearestTo,
  openEmbedder,
  requireWriter,
  textsToEmbed,
  writeVectors,
} from "../jobs/index.js";
import { type Context, command } from "./command.js";

const options = embedOptions.extend({
  out: z.string().optional().describe("write the vectors to this file: .jsonl, .npy or .safetensors"),
  nearest: z.string().optional().describe("print the texts nearest to this one, in place of vectors"),
  top: z.int().positive().default(5).describe("nearest: how many"),
});
type Options = z.output<typeof options>;

export const embed = command({
  options,
  positional: ["texts"],
  examples: [
    {
      line: 'npx plinth embed "a small bird" "a large animal" --model models/minilm',
      why: "two vectors, one JSON line each",
    },
    {
      line: 'npx plinth embed --data notes.txt --model models/minilm --nearest "pain in the chest" --top 3',
      why: "the three texts of a file that are nearest to a question",
    },
    { line: "npx plinth embed --data notes.txt --model models/minilm --out notes.npy", why: "an array for NumPy" },
  ],
  async run(o, context) {
    if (o.out !== undefined) requireWriter(o.out);
    const texts = textsToEmbed(o);
    await using embedder = await openEmbedder(o);
    if (!embedder.stated || context.verbose) context.note(howOf(embedder));
    const counts = { texts: 0, truncated: 0 };
    const vectors = counted(embedder.embed(texts), counts);
    if (o.nearest !== undefined) await printNearest(o.nearest, { o, embedder, vectors, context });
    else if (o.out !== undefined) {
      await writeVectors(o.out, vectors);
      context.print(`${counts.texts} vectors of ${embedder.dimensions} numbers in ${o.out}`);
      context.emit({ out: o.out, vectors: counts.texts, dimensions: embedder.dimensions, truncated: counts.truncated });
    } else
      for await (const one of vectors) {
        context.print(JSON.stringify(lineOf(one)));
        context.emit(lineOf(one));
      }
    if (counts.truncated)
      context.note(
        `${counts.truncated} of ${counts.texts} texts are longer than ${embedder.contextLength} tokens: only their beginning was read`,
      );
    return undefined;
  },
});

const howOf = ({ pooling, normalise, stated }: Embedder): string =>
  [
    `${pooling} pooling${normalise ? ", vectors of length 1" : ""}`,
    ...(stated ? [] : ["the model's folder does not say how its vectors are made"]),
  ].join(": ");

async function* counted(all: AsyncIterable<Embedding>, counts: { texts: number; truncated: number }) {
  for await (const one of all) {
    counts.texts++;
    if (one.truncated) counts.truncated++;
    yield one;
  }
}

async function printNearest(
  question: string,
  {
    o,
    embedder,
    vectors,
    context,
  }: { o: Options; embedder: Embedder; vectors: AsyncIterable<Embedding>; context: Context },
): Promise<void> {
  // a model that tells questions from texts has a prompt for them
  const prompt = o.prompt === undefined && embedder.prompts.includes("query") ? { prompt: "query" } : {};
  const asked = embedder.embed([{ at: "--nearest", fields: { [o.text]: question } }], prompt);
  const { value } = await asked.next();
  const near = await nearestTo((value as Embedding).vector, { among: vectors, top: o.top });
  for (const one of near) {
    context.print(`${one.cosine.toFixed(4).padStart(7)}  ${one.text}`);
    context.emit(one);
  }
}
