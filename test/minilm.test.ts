/** all-MiniLM-L6-v2 with its real weights, where shared/tools/minilm.sh has put them: its public vectors, on every engine. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openBase } from "../src/jobs/base.js";
import { embed, nearestTo } from "../src/jobs/embed.js";
import type { Embedding } from "../src/jobs/embedder.js";
import { engines } from "../src/runtime/index.js";
import { present } from "./present.js";
import { shared } from "./shared.js";

const model = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "plinth-test", "minilm");
const there = existsSync(join(model, "model.safetensors"));
if (!there) console.warn(`skipped: no MiniLM in ${model} (shared/tools/minilm.sh puts it there)`);
const data = shared("conformance_minilm/expected.json.gz");

interface Expected {
  readonly sentences: readonly { readonly text: string; readonly ids: number[]; readonly embedding: number[] }[];
  readonly cosine: readonly (readonly number[])[];
}
const expected = data ? (JSON.parse(gunzipSync(readFileSync(data)).toString()) as Expected) : undefined;
const sentences = expected?.sentences ?? [];
const texts = sentences.map((one) => one.text);

async function all(vectors: AsyncIterable<Embedding>): Promise<Embedding[]> {
  const found: Embedding[] = [];
  for await (const one of vectors) found.push(one);
  return found;
}

describe.skipIf(!there || !expected)("MiniLM", () => {
  test("texts are cut into the ids that its tokeniser gives", async () => {
    const { tokenizer } = await openBase(model);
    for (const { text, ids } of sentences) expect([...(await tokenizer.encode(text))]).toEqual(ids.slice(1, -1));
  });

  const quick = present.filter(([, engine]) => engine !== engines.reference);
  test.each(quick)("%s: vectors agree with the expected ones within 1e-5", async (engine) => {
    const found = await all(embed({ model, texts, engine: engine as "native" | "ort" }));
    expect(found.map((one) => one.text)).toEqual(texts);
    let worst = 0;
    for (const [i, { vector }] of found.entries())
      for (const [j, x] of vector.entries()) worst = Math.max(worst, Math.abs(x - sentences[i]!.embedding[j]!));
    // float32 against float32, and the expected numbers have six decimals
    expect(worst).toBeLessThan(1e-5);
  });

  test("the nearest sentence is the one that is nearest by the expected cosines", async () => {
    const [question, ...others] = [
      "The new movie is so great",
      ...texts.filter((t) => t !== "The new movie is so great"),
    ];
    const [asked] = await all(embed({ model, texts: [question!] }));
    const [near] = await nearestTo(asked!.vector, { among: embed({ model, texts: others }), top: 1 });
    expect(near!.text).toBe("The new movie is awesome");
    const row = expected!.cosine[texts.indexOf(question!)]!;
    expect(near!.cosine).toBeCloseTo(row[texts.indexOf(near!.text)]!, 4);
  });
});
