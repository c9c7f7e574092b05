import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { present } from "../../test/present.js";
import { fed, forward, openPublic, rows } from "../../test/public-model.js";
import { temporary } from "../../test/temporary.js";
import { bodyOf, writeTiny } from "../../test/tiny-model.js";
import { Scope } from "../ir/index.js";
import { families } from "../models/index.js";
import { reference } from "../runtime/index.js";
import { type Filled, type FillOptions, fill } from "./fill.js";

const folder = temporary("plinth-fill-");
const at = (name: string) => join(folder(), name);
const { bert, gpt } = families;
const shape = { contextLength: 24, layers: 1, heads: 2, hiddenSize: 16 };
const texts = ["a cat sees a dog in the house"];

async function filled(o: FillOptions): Promise<Filled[]> {
  const found: Filled[] = [];
  for await (const one of fill({ engine: "reference", ...o })) found.push(one);
  return found;
}

const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."abcdefghijklmnopqrstuvwxyz".split(""), ..."012345678"];
/** One of the public kinds of models that transformers wrote, with a tokeniser of 40 pieces. */
function publicModel(kind: string): string {
  cpSync(fileURLToPath(new URL(`../../test/fixtures/families/${kind}`, import.meta.url)), at(kind), {
    recursive: true,
  });
  writeFileSync(join(at(kind), "vocab.txt"), words.join("\n"));
  return at(kind);
}

describe.each(["bert", "distilbert"])("%s", (kind) => {
  test.each(present)("%s: the pieces for two gaps are the likeliest of the model's own scores", async (engine) => {
    const model = publicModel(kind);
    const [one] = await filled({
      model,
      texts: ["c a [MASK] s [MASK]"],
      top: 3,
      engine: engine as "native" | "ort" | "reference",
    });
    expect(one!.gaps).toHaveLength(2);
    const ids = [2, 7, 5, 4, 23, 4, 3];
    const opened = await openPublic(model);
    const x = { ids: rows("ids", [1, 7]), segments: rows("segments", [1, 7]) };
    const { logits } = forward(opened, new Scope(), x);
    await using session = await reference.open(opened.state);
    const out = await session.run(
      { outputs: { probabilities: logits.softmax() }, next: {} },
      { ids: fed([ids]), segments: fed([ids.map(() => 1)]) },
    );
    const { data } = out["probabilities"]!;
    for (const [gap, column] of [3, 5].entries()) {
      const row = [...data].slice(column * 40, (column + 1) * 40).map(Number);
      const best = row.map((probability, id) => ({ id, probability })).sort((a, b) => b.probability - a.probability);
      for (const [i, { id, probability }] of best.slice(0, 3).entries()) {
        expect(one!.gaps[gap]![i]).toMatchObject({ id, piece: words[id] });
        expect(one!.gaps[gap]![i]!.probability).toBeCloseTo(probability, 5);
      }
    }
  });
});

test("a text with one gap has probabilities that add up to one over the vocabulary", async () => {
  const { config } = await writeTiny(at("tiny"), { family: bert, shape, texts });
  const [one] = await filled({ model: at("tiny"), texts: ["a [MASK]"], top: 1000 });
  expect(one).toMatchObject({ id: "text 1", text: "a [MASK]" });
  expect(one!.gaps[0]).toHaveLength(config.vocabSize);
  expect(one!.gaps[0]!.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
});

test("what cannot be filled in says why", async () => {
  await writeTiny(at("masked"), { family: bert, shape, texts });
  const model = at("masked");
  await expect(filled({ model })).rejects.toThrow("there is nothing to fill in");
  await expect(filled({ model, texts: ["a [MASK]", "a cat"] })).rejects.toThrow(
    "the text has no gap\n  at text 2\n  help: write [MASK] where a word is missing",
  );
  await expect(filled({ model, texts: [`[MASK] ${"a ".repeat(40)}`] })).rejects.toThrow(
    "the text has 43 tokens, the model reads 24",
  );
  await writeTiny(at("causal"), { family: gpt, shape, texts });
  await expect(filled({ model: at("causal"), texts: ["a [MASK]"] })).rejects.toThrow(
    "a model of family gpt does not fill in words",
  );
  await writeTiny(at("headless"), { family: bert, shape, texts, parameters: bodyOf(bert) });
  await expect(filled({ model: at("headless"), texts: ["a [MASK]"] })).rejects.toThrow("missing: cls.predictions.bias");
  const tokenizer = JSON.parse(readFileSync(join(model, "tokenizer.json"), "utf8"));
  writeFileSync(join(model, "tokenizer.json"), JSON.stringify(tokenizer).replaceAll("[MASK]", "[GAP]"));
  await expect(filled({ model, texts: ["a [MASK]"] })).rejects.toThrow("the tokeniser has no token for a gap");
});
