/** The gate of an export: texts through plinth and through the files, as other programs run them; they have to agree. */
import { inputs, type Nd, nameOf, nd, type Program, params, roots, size } from "../ir/index.js";
import { chooseEngine, type OnnxFile, type Session } from "../runtime/index.js";
import type { Base } from "./base.js";
import { weightsOf } from "./export-folder.js";
import { answering, type PortableOptions } from "./portable.js";

export interface GateOptions extends PortableOptions {
  /** Where its weights are. */
  readonly base: Pick<Base, "path" | "family" | "config">;
  readonly engine: "auto" | "native" | "ort" | "reference";
  readonly threads?: number | undefined;
  /** Texts as ids, each with a token or more. */
  readonly texts: readonly Int32Array[];
  /** The tokens that a written text begins with, for an encoder–decoder. */
  readonly begin: readonly number[];
}

/** How far the files are from plinth. */
export interface Distance {
  /** The largest difference of a number, as a share of the largest number where that is above 1. */
  readonly largest: number;
  /** The root of the mean square of differences, as a share of that of the numbers. */
  readonly mean: number;
  /** The share of rows of numbers whose largest one is at the same place. */
  readonly agreement: number;
}

export interface Gate extends AsyncDisposable {
  /** Files by name, without what says how they are stored. */
  distance(files: ReadonlyMap<string, OnnxFile>): Promise<Distance>;
}

type Feeds = Readonly<Record<string, Nd>>;

/** Open the model and let it answer. */
export async function openGate(o: GateOptions): Promise<Gate> {
  const few = answering(o, { batch: 1, sequence: 2, source: 2 });
  const engine = await chooseEngine(o.engine);
  const session = await engine.open(await weightsOf(o.base, params(roots(few))), { threads: o.threads });
  return {
    distance: (files) => distance(session, files, o),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

async function distance(session: Session, files: ReadonlyMap<string, OnnxFile>, o: GateOptions): Promise<Distance> {
  const sums = sumsOf();
  // together, padded, and the first one alone: other numbers of rows, other lengths
  for (const texts of [o.texts, o.texts.slice(0, 1)]) {
    const { feeds, expected } = await expectedOf(session, texts, o);
    if (o.task === "text-generation") await written(files.get("model")!, { texts, expected, sums });
    else if (o.task === "text2text-generation") await translated(files, { feeds, expected, sums });
    else {
      const found = await files.get("model")!.run(fed(files.get("model")!, feeds));
      const real = o.task === "text-classification" ? undefined : feeds["attention_mask"]!;
      for (const [name, value] of Object.entries(expected)) sums.addAll(found[name]!, value, real);
    }
  }
  return sums.distance();
}

/** What plinth answers, and what it was given: rows padded on the right. */
async function expectedOf(session: Session, texts: readonly Int32Array[], o: GateOptions) {
  const length = Math.max(...texts.map((ids) => ids.length));
  const batch = texts.length;
  const targets = texts.map((ids) => Int32Array.from([...o.begin, ...ids.slice(0, 3)]));
  const sequence = o.task === "text2text-generation" ? Math.min(...targets.map((ids) => ids.length)) : length;
  const feeds: Feeds = {
    input_ids: padded(texts, length, "right"),
    attention_mask: padded(
      texts.map((ids) => ids.map(() => 1)),
      length,
      "right",
    ),
    token_type_ids: nd("i32", [batch, length], 0),
    decoder_input_ids: padded(
      targets.map((ids) => ids.slice(0, sequence)),
      sequence,
      "right",
    ),
  };
  const program: Program = answering(o, { batch, sequence, source: length });
  const names = inputs(program).map(nameOf);
  const expected = await session.run(program, Object.fromEntries(names.map((name) => [name, feeds[name]!])));
  return { feeds, expected };
}

interface Held {
  readonly expected: Feeds;
  readonly sums: Sums;
}

/** A text in three pieces: all but two tokens, and these one by one with the keys and values of what was before. */
async function written(model: OnnxFile, { texts, expected, sums }: Held & { readonly texts: readonly Int32Array[] }) {
  const length = Math.max(...texts.map((ids) => ids.length));
  const ids = padded(texts, length, "left");
  const real = padded(
    texts.map((row) => row.map(() => 1)),
    length,
    "left",
  );
  let past: Feeds = emptied(model, texts.length);
  const steps = Math.min(3, length);
  for (let step = 0; step < steps; step++) {
    const from = step === 0 ? 0 : length - steps + step;
    const to = length - steps + step + 1;
    const found = await model.run({
      ...past,
      input_ids: wide(columns(ids, from, to)),
      attention_mask: wide(columns(real, 0, to)),
      position_ids: wide(columns(placesOf(real), from, to)),
    });
    past = kept(model, found);
    for (const [row, { length: own }] of texts.entries())
      for (let column = Math.max(from, length - own); column < to; column++)
        sums.addRow(lane(found["logits"]!, row, column - from), lane(expected["logits"]!, row, column - length + own));
  }
}

/** A source is read, then the target in two pieces. */
async function translated(
  files: ReadonlyMap<string, OnnxFile>,
  { feeds, expected, sums }: Held & { readonly feeds: Feeds },
) {
  const [reader, writer] = [files.get("encoder_model")!, files.get("decoder_model_merged")!];
  const { last_hidden_state: hidden } = await reader.run(fed(reader, feeds));
  sums.addAll(hidden!, expected["last_hidden_state"]!, feeds["attention_mask"]!);
  const target = feeds["decoder_input_ids"]!;
  const [batch, length] = target.shape as [number, number];
  let past: Feeds = emptied(writer, batch);
  for (const [from, to] of [
    [0, length - 1],
    [length - 1, length],
  ] as const) {
    if (from === to) continue;
    const found = await writer.run({
      ...past,
      input_ids: wide(columns(target, from, to)),
      encoder_hidden_states: hidden!,
      encoder_attention_mask: wide(feeds["attention_mask"]!),
      use_cache_branch: nd("bool", [1], [from > 0 ? 1 : 0]),
    });
    past = kept(writer, found);
    for (let row = 0; row < batch; row++)
      for (let column = from; column < to; column++)
        sums.addRow(lane(found["logits"]!, row, column - from), lane(expected["logits"]!, row, column));
  }
}

/** Nothing of earlier tokens: keys and values of length 0. */
const emptied = (model: OnnxFile, batch: number): Feeds =>
  Object.fromEntries(
    Object.entries(model.shapes)
      .filter(([name]) => name.startsWith("past_key_values"))
      .map(([name, [, heads, , width]]) => [name, nd("f32", [batch, Number(heads), 0, Number(width)], [])]),
  );
const kept = (model: OnnxFile, found: Feeds): Feeds =>
  Object.fromEntries(
    model.inputs
      .filter((name) => name.startsWith("past_key_values"))
      .map((name) => [name, found[name.replace("past_key_values", "present")]!]),
  );

const fed = (model: OnnxFile, feeds: Feeds): Feeds =>
  Object.fromEntries(model.inputs.map((name) => [name, wide(feeds[name]!)]));
const wide = ({ shape, data }: Nd): Nd => nd("i64", shape, data as Int32Array);

function padded(rows: readonly Int32Array[], length: number, side: "left" | "right"): Nd {
  const data = new Int32Array(rows.length * length);
  for (const [i, row] of rows.entries()) data.set(row, i * length + (side === "left" ? length - row.length : 0));
  return { dtype: "i32", shape: [rows.length, length], data };
}
function columns({ shape, data }: Nd, from: number, to: number): Nd {
  const [rows, length] = shape as [number, number];
  const numbers = Array.from({ length: rows }, (_, i) =>
    Array.from(data as Int32Array).slice(i * length + from, i * length + to),
  );
  return nd("i32", [rows, to - from], numbers.flat());
}
/** 0, 1, … from each row's first real token on. */
function placesOf({ shape, data }: Nd): Nd {
  const [, length] = shape as [number, number];
  let place = 0;
  const places = Array.from(data as Int32Array, (real, i) => {
    if (i % length === 0) place = 0;
    return real ? place++ : 0;
  });
  return nd("i32", shape, places);
}

/** The numbers of one token of [B T N]. */
function lane({ shape, data }: Nd, row: number, column: number): Float32Array {
  const [, length, width] = shape as [number, number, number];
  const from = (row * length + column) * width;
  return (data as Float32Array).subarray(from, from + width);
}

interface Sums {
  /** Values of real tokens [B T …]; of rows [B …] where `real` is not given. */
  addAll(found: Nd, expected: Nd, real?: Nd): void;
  addRow(found: Float32Array, expected: Float32Array): void;
  distance(): Distance;
}

/** What differs, summed up. */
function sumsOf(): Sums {
  let [far, most, wrong, all, rows, same] = [0, 1, 0, 0, 0, 0];
  const addRow: Sums["addRow"] = (found, expected) => {
    let [best, own] = [0, 0];
    for (let i = 0; i < expected.length; i++) {
      const [y, x] = [found[i]!, expected[i]!];
      // what is not a number is as far as can be
      const apart = Number.isNaN(y - x) ? Number.POSITIVE_INFINITY : Math.abs(y - x);
      far = Math.max(far, apart);
      most = Math.max(most, Math.abs(x));
      wrong += apart ** 2;
      all += x ** 2;
      if (x > expected[own]!) own = i;
      if (y > found[best]!) best = i;
    }
    rows++;
    if (best === own) same++;
  };
  return {
    addRow,
    addAll(found, expected, real) {
      const count = real?.data.length ?? expected.shape[0]!;
      const width = size(expected.shape) / count;
      const part = ({ data }: Nd, i: number) => (data as Float32Array).subarray(i * width, (i + 1) * width);
      for (let i = 0; i < count; i++) if (!real || real.data[i]) addRow(part(found, i), part(expected, i));
    },
    distance: () => ({ largest: far / most, mean: Math.sqrt(wrong / all), agreement: same / rows }),
  };
}
