/** WordNet's split: nothing held out is in what is learnt from. */
import { beforeAll, expect, test } from "vitest";
import { normalise, type Split, type Synset, synsets, wordnetDocuments } from "../../src/data/index.js";
import { ownSplit } from "../../src/data/wordnet.js";
import { moved } from "../../src/data/wordnet-moved.js";
import { phrases, splitsByRule } from "./wordnet-splits.js";

let all: Synset[];
beforeAll(async () => {
  all = await synsets();
}, 60_000);

test("the synsets that are moved are those that the rule moves", () => {
  const found: Record<Split, string[]> = { train: [], validation: [], test: [] };
  for (const [i, split] of splitsByRule(all).entries())
    if (split !== ownSplit(all[i]!.id)) found[split].push(all[i]!.id);
  expect(moved).toEqual(Object.fromEntries(Object.entries(found).map(([split, ids]) => [split, ids.join(" ")])));
});

test("no held-out definition is in any pre-training text, not even inside another sentence", async () => {
  const heldOut = phrases(
    all.filter((synset) => synset.split !== "train").map((synset) => normalise(synset.definition)),
  );
  const found: string[] = [];
  for (const withWords of [false, true])
    for await (const { at, text } of wordnetDocuments({ from: all, withWords }))
      for (const phrase of heldOut(normalise(text))) found.push(`${at}: ${phrase}`);
  expect(found).toEqual([]);
});

test("equal definitions are on one side", () => {
  const sides = new Map<string, Split>();
  const torn = all.filter(({ definition, split }) => {
    const key = normalise(definition);
    if (!sides.has(key)) sides.set(key, split);
    return sides.get(key) !== split;
  });
  expect(torn).toEqual([]);
});
