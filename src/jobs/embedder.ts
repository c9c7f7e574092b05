/** A model that makes vectors of texts, as its folder says or as it is told. */
import { byLength, encodeExamples, frameOf, type LengthBatch, type Row } from "../data/index.js";
import { fail, type Nd, nd, type Program, params, Scope } from "../ir/index.js";
import { openModelFolder, type SentenceModules, sentenceModules, type TokenPooling } from "../models/index.js";
import { chooseEngine, type Session } from "../runtime/index.js";
import { sentenceVectors } from "../tasks/index.js";
import { type Base, openBase } from "./base.js";
import { only } from "./fit.js";

export interface EmbedderOptions {
  readonly model: string;
  readonly pooling?: TokenPooling | undefined;
  readonly normalise?: boolean | undefined;
  readonly prompt?: string | undefined;
  readonly text: string;
  readonly overflow: "error" | "truncate";
  readonly batchSize: number;
  readonly engine: "auto" | "native" | "ort" | "reference";
  readonly threads?: number | undefined;
}

/** The vector of a text. */
export interface Embedding {
  readonly id: string;
  readonly text: string;
  readonly vector: Float32Array;
  /** Set when only the beginning of the text was read: it is longer than the model reads. */
  readonly truncated?: true;
}

export interface Embedder extends AsyncDisposable {
  readonly dimensions: number;
  readonly pooling: TokenPooling;
  readonly normalise: boolean;
  /** Whether the folder or the options say how to pool and whether to normalise. */
  readonly stated: boolean;
  /** Tokens that a text may have, special ones and the prompt's included. */
  readonly contextLength: number;
  /** The purposes that the folder has prompts for. */
  readonly prompts: readonly string[];
  /** Vectors in the order of the rows, of which some thousands are held at a time; `prompt` in place of the options' one. */
  embed(rows: AsyncIterable<Row> | Iterable<Row>, o?: { readonly prompt?: string }): AsyncGenerator<Embedding>;
}

/** Batches that are sorted by length together. */
const batchesInWindow = 64;

/** Open a model. Throws `checkpoint` where there is none, `config` for a pooling that plinth does not have or an unknown prompt. */
export async function openEmbedder(o: EmbedderOptions): Promise<Embedder> {
  const base = await openBase(o.model);
  const said = await saidBy(base);
  const { pooling = said.pooling ?? "mean", normalise = said.normalise ?? true } = o;
  promptOf(said, o.prompt);
  const programs = new Map<string, Program>();
  const program = (batch: number, length: number): Program => {
    const key = `${batch} ${length}`;
    const sizes = { p: new Scope(), batch, length, pooling, normalise };
    const known = programs.get(key) ?? {
      outputs: { vectors: sentenceVectors(base.family, base.config, sizes) },
      next: {},
    };
    programs.set(key, known);
    return known;
  };
  const wanted = params([program(1, 8).outputs["vectors"]!]);
  const contextLength = Math.min(said.maxLength ?? base.config.contextLength, base.config.contextLength);
  const session = await base.open(await chooseEngine(o.engine), wanted, { threads: o.threads });
  const embedding = { base, said, session, program, contextLength, options: o };
  return {
    dimensions: base.config.hiddenSize,
    pooling,
    normalise,
    stated: (o.pooling ?? said.pooling) !== undefined && (o.normalise ?? said.normalise) !== undefined,
    contextLength,
    prompts: Object.keys(said.prompts),
    async *embed(rows, { prompt = o.prompt } = {}) {
      const prefix = promptOf(said, prompt);
      let window: Row[] = [];
      for await (const row of rows) {
        if (window.push(row) < batchesInWindow * o.batchSize) continue;
        yield* embedWindow(embedding, window, prefix);
        window = [];
      }
      if (window.length) yield* embedWindow(embedding, window, prefix);
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** What the folder's modules say; of what they leave open, what a run of plinth's own says in config.json. */
async function saidBy(base: Base): Promise<SentenceModules> {
  await using folder = await openModelFolder(base.path);
  const said = await sentenceModules(folder);
  const own = (base.json["plinth"] ?? {}) as { task?: string; contextLength?: number } & Pick<
    SentenceModules,
    "pooling" | "normalise"
  >;
  if (own.task !== "sentence-pairs") return said;
  const { pooling = own.pooling, normalise = own.normalise, maxLength = own.contextLength } = said;
  return {
    ...said,
    ...(pooling && { pooling }),
    ...(normalise !== undefined && { normalise }),
    ...(maxLength && { maxLength }),
  };
}

/** What stands before a text. */
function promptOf({ prompts, defaultPrompt }: SentenceModules, given: string | undefined): string {
  const name = given ?? defaultPrompt;
  if (name === undefined) return "";
  const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (prompt !== undefined) return prompt;
  const known = Object.keys(prompts);
  throw fail(
    "config",
    `the model has no prompt "${name}"`,
    known.length ? `its prompts are ${known.join(", ")}` : "it has none: leave the option out",
  );
}

interface Opened {
  readonly base: Base;
  readonly said: SentenceModules;
  readonly session: Session;
  readonly program: (batch: number, length: number) => Program;
  readonly contextLength: number;
  readonly options: EmbedderOptions;
}

async function* embedWindow(e: Opened, rows: readonly Row[], prefix: string): AsyncGenerator<Embedding> {
  const { base, said, options: o } = e;
  const ready = rows.map((row) => withPrompt(row, { column: o.text, prefix, lowerCase: said.lowerCase }));
  const { examples } = await encodeExamples(ready, {
    tokenizer: base.tokenizer,
    contextLength: e.contextLength,
    text: o.text,
    overflow: o.overflow,
    unlabelled: true,
  });
  const unpooled = said.poolPrompt || !prefix ? 0 : await promptTokens(base, prefix);
  const found = new Array<Float32Array>(rows.length);
  const ids = examples.map((example) => example.ids);
  const sizes = ids.map((own) => own.length);
  for (const batch of byLength(sizes, { batchSize: o.batchSize, contextLength: e.contextLength })) {
    const program = e.program(batch.rows, batch.length);
    const feeds = feedsOf(ids, batch, { pad: base.tokenizer.special.pad ?? 0, unpooled });
    const { vectors } = await e.session.run(program, only(feeds, program));
    const width = vectors!.shape[1]!;
    for (const [b, member] of batch.members.entries())
      found[member] = (vectors!.data as Float32Array).slice(b * width, (b + 1) * width);
  }
  for (const [i, row] of rows.entries()) {
    const { id, cut } = examples[i]!;
    const vector = found[i]!;
    if (!vector.every(Number.isFinite))
      throw fail("non-finite", "the vector has numbers that are not finite", "the model's weights are damaged", row.at);
    yield { id, text: String(row.fields[o.text]), vector, ...(cut && { truncated: cut }) };
  }
}

/** An empty text stays one, which is refused. */
function withPrompt(
  row: Row,
  { column, prefix, lowerCase }: { column: string; prefix: string; lowerCase: boolean },
): Row {
  const text = row.fields[column];
  if (text === undefined || text === null || String(text).trim() === "") return row;
  const whole = prefix + String(text);
  return { ...row, fields: { ...row.fields, [column]: lowerCase ? whole.toLowerCase() : whole } };
}

/** Tokens of a prompt, with what stands before every text. */
async function promptTokens({ tokenizer }: Base, prefix: string): Promise<number> {
  const { before } = frameOf(tokenizer);
  return before.length + (await tokenizer.encode(prefix)).length;
}

function feedsOf(
  ids: readonly Int32Array[],
  { rows, length, members }: LengthBatch,
  { pad, unpooled }: { pad: number; unpooled: number },
): Record<string, Nd> {
  const feeds = {
    ids: nd("i32", [rows, length], pad),
    segments: nd("i32", [rows, length], 0),
    pooled: nd("i32", [rows, length], 0),
  };
  for (const [b, member] of members.entries()) {
    const own = ids[member]!;
    const [from, to] = [b * length, b * length + own.length];
    feeds.ids.data.set(own, from);
    feeds.segments.data.fill(1, from, to);
    feeds.pooled.data.fill(1, from + unpooled, to);
  }
  return feeds;
}
