/** WordNet: all of it, split so that nothing held out is in what is learnt from. */
import { beforeAll, expect, test } from "vitest";
import { documents, nounCategories, rows, type Synset, synsets, wordnetCategories } from "./index.js";

let all: Synset[];
beforeAll(async () => {
  all = await synsets();
}, 60_000);

test("there are 117,791 meanings, and each has words and a definition", () => {
  expect(all).toHaveLength(117_791);
  expect(all.filter((synset) => !synset.definition || !synset.words.length)).toEqual([]);
  const dog = all.find((synset) => synset.words.includes("domestic dog"));
  expect(dog).toMatchObject({
    words: ["dog", "domestic dog", "Canis familiaris"],
    category: "animal",
    examples: ["the dog barked all night"],
  });
  expect(new Set(all.map((synset) => synset.id)).size).toBe(all.length);
});

test("the 26 categories are those of the nouns, and all splits have them all", async () => {
  expect(nounCategories).toHaveLength(26);
  for (const split of ["train", "validation", "test"] as const) {
    const labels = new Set<unknown>();
    for await (const { fields } of wordnetCategories({ split, from: all })) labels.add(fields.label);
    expect(labels).toEqual(new Set(nounCategories));
  }
});

test("one reading gives every side, and each row says its own", async () => {
  const ids: Record<string, unknown[]> = { train: [], validation: [], test: [] };
  for await (const { fields, split } of wordnetCategories({ split: "every", from: all }))
    ids[split!]!.push(fields["id"]);
  for (const split of ["train", "validation", "test"] as const) {
    const alone: unknown[] = [];
    for await (const { fields } of wordnetCategories({ split, from: all })) alone.push(fields["id"]);
    expect(ids[split]).toEqual(alone);
  }
});

test("splits are about 80, 10 and 10 percent and do not change", () => {
  const count = (split: string) => all.filter((synset) => synset.split === split).length;
  expect(["train", "validation", "test"].map(count)).toMatchInlineSnapshot(`
    [
      94877,
      11364,
      11550,
    ]
  `);
});

test("it is a source like any other", async () => {
  for await (const { at, text } of documents("wordnet:words")) {
    expect([at, text]).toMatchInlineSnapshot(`
      [
        "wordnet:n00001740",
        "entity: that which is perceived or known or inferred to have its own distinct existence (living or nonliving)",
      ]
    `);
    break;
  }
  for await (const { fields } of rows("wordnet:categories", { split: "test" })) {
    expect(fields).toMatchInlineSnapshot(`
      {
        "id": "n00001930",
        "label": "Tops",
        "text": "an entity that has physical existence",
      }
    `);
    break;
  }
});
