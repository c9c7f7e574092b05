/** The rule by which WordNet is split, of which `src/data/wordnet-moved.ts` is the result. */
import { normalise, type Split, type Synset } from "../../src/data/index.js";
import { ownSplit, written } from "../../src/data/wordnet.js";

/**
 * 80/10/10 by a hash of the synset, then two rules that keep the held-out side clean: synsets that share a definition go
 * together, and a definition that training text contains word for word ("a nap", "narrow") is not held out at all.
 */
export function splitsByRule(found: readonly Synset[]): Split[] {
  const keys = found.map((synset) => normalise(synset.definition));
  const owner = new Map<string, string>();
  for (const [i, key] of keys.entries()) if (!owner.has(key)) owner.set(key, found[i]!.id);
  const splitOf = new Map<string, Split>();
  for (const [key, id] of owner) splitOf.set(key, ownSplit(id));
  const heldOut = phrases([...splitOf].filter(([, side]) => side !== "train").map(([key]) => key));
  // moving a synset into training adds its text to training, which may contain another held-out definition
  const queue = found.flatMap((_, i) => (splitOf.get(keys[i]!) === "train" ? [i] : []));
  const members = new Map<string, number[]>();
  for (const [i, key] of keys.entries()) {
    const sharing = members.get(key);
    if (sharing) sharing.push(i);
    else members.set(key, [i]);
  }
  for (let i = queue.pop(); i !== undefined; i = queue.pop())
    for (const phrase of heldOut(normalise(written(found[i]!, true))))
      if (splitOf.get(phrase) !== "train") {
        splitOf.set(phrase, "train");
        queue.push(...members.get(phrase)!);
      }
  return keys.map((key) => splitOf.get(key)!);
}

/** Which of many phrases, given normalised, occur in a normalised text, whole words only: a trie of words walked from every word. */
export function phrases(all: readonly string[]): (text: string) => string[] {
  interface Branch {
    ends?: string;
    readonly next: Map<string, Branch>;
  }
  const root: Branch = { next: new Map() };
  for (const phrase of all) {
    let at = root;
    for (const word of phrase.split(" ")) {
      const next = at.next.get(word) ?? { next: new Map() };
      at.next.set(word, next);
      at = next;
    }
    at.ends = phrase;
  }
  return (text) => {
    const words = text.split(" ");
    const hits: string[] = [];
    for (let start = 0; start < words.length; start++) {
      let at: Branch | undefined = root;
      for (let i = start; at && i < words.length; i++) {
        at = at.next.get(words[i]!);
        if (at?.ends !== undefined) hits.push(at.ends);
      }
    }
    return hits;
  };
}
