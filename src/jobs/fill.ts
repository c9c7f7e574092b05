/** Filling in masked words with a model that was trained on it. */
import { z } from "zod";
import { encodeExamples, type Row, rows } from "../data/index.js";
import { fail, type Nd, nd, type Program, Scope } from "../ir/index.js";
import { parametersOf } from "../models/index.js";
import { chooseEngine, type Session } from "../runtime/index.js";
import { maskFilling } from "../tasks/index.js";
import { type Base, openBase } from "./base.js";
import { optionsOf } from "./options.js";

/** What `fill` takes. */
export const fillOptions = z.object({
  texts: z.array(z.string()).default([]).describe("texts with [MASK] where a word, or a piece of one, is missing"),
  data: z.array(z.string()).default([]).describe("files of such texts"),
  model: z.string().describe("a folder of a masked model, such as BERT, or a run that finished"),
  top: z.int().positive().default(5).describe("pieces to give for each gap, the likeliest first"),
  text: z.string().default("text").describe("column of the text"),
  documents: z.enum(["line", "paragraph"]).default("line").describe("what a text of a .txt file is"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where programs run"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
});
export type FillOptions = z.input<typeof fillOptions>;

/** A piece of the vocabulary, as text, and how likely it is. */
export interface Candidate {
  readonly piece: string;
  readonly id: number;
  readonly probability: number;
}

export interface Filled {
  readonly id: string;
  readonly text: string;
  /** For each gap, in their order, the likeliest pieces: each gap by itself, with the others open. */
  readonly gaps: readonly (readonly Candidate[])[];
}

/**
 * The likeliest pieces for the gaps of texts, in their order. Throws `config` for a model that is not trained to fill in, `data` for a
 * text without a gap, `overflow` for one longer than the context, `checkpoint` for a folder without the head.
 */
export async function* fill(given: FillOptions): AsyncGenerator<Filled> {
  const o = optionsOf(fillOptions, given);
  if (!o.texts.length && !o.data.length)
    throw fail("usage", "there is nothing to fill in", "give a text, or --data with a file");
  const base = await openBase(o.model);
  const mask = maskOf(base);
  const engine = await chooseEngine(o.engine);
  await using session = await base.open(engine, parametersOf(base.family, base.config), { threads: o.threads });
  const filling = { base, mask, session, top: o.top, programs: new Map<string, Program>() };
  for (const [i, text] of o.texts.entries())
    yield await fillOne(filling, { at: `text ${i + 1}`, fields: { [o.text]: text } }, o.text);
  for (const source of o.data)
    for await (const row of rows(source, { text: o.text, documents: o.documents }))
      yield await fillOne(filling, row, o.text);
}

function maskOf({ family, tokenizer, path }: Base): { id: number; token: string } {
  if (family.objective !== "masked")
    throw fail(
      "config",
      `a model of family ${family.name} does not fill in words`,
      "name a masked model such as BERT; plinth generate lets this one write",
      path,
    );
  const id = tokenizer.special.mask;
  if (id === undefined)
    throw fail(
      "tokenizer",
      "the tokeniser has no token for a gap",
      "use the tokeniser that the model was trained with",
      path,
    );
  return { id, token: tokenizer.token(id)! };
}

interface Filling {
  readonly base: Base;
  readonly mask: { readonly id: number; readonly token: string };
  readonly session: Session;
  readonly top: number;
  readonly programs: Map<string, Program>;
}

async function fillOne(f: Filling, row: Row, column: string): Promise<Filled> {
  const { base, mask } = f;
  const given = row.fields[column];
  // [MASK] is understood whatever the tokeniser calls it
  const own = typeof given === "string" ? given.replaceAll("[MASK]", mask.token) : given;
  const { examples } = await encodeExamples([{ ...row, fields: { ...row.fields, [column]: own } }], {
    tokenizer: base.tokenizer,
    contextLength: Number.POSITIVE_INFINITY,
    text: column,
    unlabelled: true,
  });
  const { id, ids } = examples[0]!;
  if (ids.length > base.config.contextLength)
    throw fail(
      "overflow",
      `the text has ${ids.length} tokens, the model reads ${base.config.contextLength}`,
      "give it in parts",
      row.at,
    );
  const places = Array.from(ids.keys()).filter((at) => ids[at] === mask.id);
  if (!places.length) throw fail("data", "the text has no gap", `write ${mask.token} where a word is missing`, row.at);
  const scores = await scored(f, ids, places);
  const gaps: Candidate[][] = [];
  for (const n of places.keys()) gaps.push(await likeliest(base, scores, { gap: n, top: f.top }));
  return { id, text: String(given), gaps };
}

/** Logarithms of probabilities, a row for each gap at least. */
async function scored(f: Filling, ids: Int32Array, places: readonly number[]): Promise<Nd> {
  const { base, session } = f;
  // a few sizes only, so that few programs are compiled
  const length = Math.min(Math.ceil(ids.length / 8) * 8, base.config.contextLength);
  const count = 2 ** Math.ceil(Math.log2(places.length));
  const key = `${length} ${count}`;
  const sizes = { p: new Scope(), batch: 1, length, places: count };
  const program = f.programs.get(key) ?? {
    outputs: { scores: maskFilling(base.family, base.config, sizes) },
    next: {},
  };
  f.programs.set(key, program);
  const feeds = {
    ids: nd("i32", [1, length], base.tokenizer.special.pad ?? 0),
    segments: nd("i32", [1, length], 0),
    places: nd("i32", [count], 0),
  };
  feeds.ids.data.set(ids);
  feeds.segments.data.fill(1, 0, ids.length);
  feeds.places.data.set(places);
  return (await session.run(program, feeds))["scores"]!;
}

async function likeliest(
  { tokenizer }: Base,
  { shape, data }: Nd,
  { gap, top }: { gap: number; top: number },
): Promise<Candidate[]> {
  const width = shape[1]!;
  const row = (data as Float32Array).subarray(gap * width, (gap + 1) * width);
  // an embedding may have more rows than the vocabulary has pieces
  const ids = Array.from(row.keys()).filter((id) => tokenizer.token(id) !== undefined);
  const best = ids.sort((a, b) => row[b]! - row[a]! || a - b).slice(0, top);
  return Promise.all(
    best.map(async (id) => ({
      piece: await tokenizer.decode([id], { specials: true }),
      id,
      probability: Math.exp(row[id]!),
    })),
  );
}
