/** WordNet's split: nothing held out is in what is learnt from. */
import { beforeAll, expect, test } from "vitest";
import { normalise, type Split, type Synset, synsets, wordnetDocuments } from "../../src/data/index.js";
import { ownSplit } from "../../src/data/wordnet.js";
import { phrases, splitsByRule } from "./wordnet-splits.js";

let all: Synset[];
beforeAll(async () => {
  all = await synsets();
}, 60_000);

test("the synsets that are moved are those that the rule moves (vitest -u writes the file again)", async () => {
  const moved: Record<Split, string[]> = { train: [], validation: [], test: [] };
  for (const [i, split] of splitsByRule(all).entries())
    if (split !== ownSplit(all[i]!.id)) moved[split].push(all[i]!.id);
  const lines = Object.entries(moved).map(([split, ids]) => `  ${split}: "${ids.join(" ")}",\n`);
  const file = `/** The synsets whose split is not that of their own hash: the result of test/data/wordnet-splits.ts. */
export const moved = {
${lines.join("")}} as const;
`;
  await expect(file).toMatchFileSnapshot("../../src/data/wordnet-moved.ts");
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
