/** A model as other runtimes call it: programs over rows of any number and length, with the names that transformers gives their ends. */
import {
  f32,
  input,
  nameOf,
  type Program,
  params,
  rewrite,
  roots,
  Scope,
  type Tensor,
  withRoots,
} from "../ir/index.js";
import type { AnyFamily, LanguageInputs, Pooling } from "../models/index.js";
import { pastCache, rowPositions } from "../nn/index.js";
import { type AxisNames, standIns } from "../onnx/index.js";
import { cumsum, where } from "../ops/index.js";
import { spanExtraction, textClassification, tokenClassification } from "../tasks/index.js";
import type { Model } from "./language-model.js";

/** What a model is for, in the words of transformers.js. */
export type ExportTask =
  | "feature-extraction"
  | "fill-mask"
  | "text-classification"
  | "token-classification"
  | "question-answering"
  | "text-generation"
  | "text2text-generation";

export interface Portable {
  /** The name of its file, without what says how its numbers are stored. */
  readonly file: "model" | "encoder_model" | "decoder_model_merged";
  /** At sizes that stand for axes of any length. */
  readonly program: Program;
  readonly axes: AxisNames;
}

export interface PortableOptions extends Model {
  readonly task: ExportTask;
  readonly classes?: number | undefined;
  readonly pooling?: Pooling | undefined;
}

/** Lengths of axes. */
interface Sizes {
  readonly batch: number;
  readonly sequence: number;
  readonly past: number;
  /** A source's tokens whose keys this run makes, and those that an earlier run made. */
  readonly source: number;
  readonly sourcePast: number;
  /** Engines here take i32; others are given what their tokenisers make. */
  readonly whole?: "i32" | "i64";
}

type Outputs = Readonly<Record<string, Tensor>>;

/** The programs that a task's files hold; their parameters are the model's. */
export function portable(o: PortableOptions): Portable[] {
  const small = { batch: 2, sequence: 3, past: 2, source: 2, sourcePast: 3 };
  const own = new Map(
    Object.values(built(o, small))
      .flatMap((outputs) => params(Object.values(outputs)))
      .map((t) => [nameOf(t), t]),
  );
  const { single: batch, pairs } = standIns([...own.values()].flatMap((t) => t.shape));
  const [[sequence, past], [source, sourcePast]] = pairs.map(({ first, second }) => [first, second]) as [
    [number, number],
    [number, number],
  ];
  const axes = new Map([
    [batch, "batch_size"],
    [sequence, "sequence_length"],
    [past, "past_sequence_length"],
    [sequence + past, "total_sequence_length"],
    [source, "encoder_sequence_length"],
    [sourcePast, "past_encoder_sequence_length"],
    [source + sourcePast, "total_encoder_sequence_length"],
  ]);
  // a context as long as the numbers that stand for lengths; the tables of positions are then those that there are
  const config = { ...o.config, contextLength: 1e6 };
  const files = built({ ...o, config }, { batch, sequence, past, source, sourcePast });
  return Object.entries(files).map(([file, outputs]) => {
    const program = { outputs, next: {} };
    const fitted = rewrite(roots(program), ({ outputs: [t] }) => {
      const is = t!.op.name === "param" ? own.get(nameOf(t!)) : undefined;
      return is && [is];
    });
    return { file: file as Portable["file"], program: withRoots(program, fitted), axes };
  });
}

const built = (o: PortableOptions, sizes: Sizes): Partial<Record<Portable["file"], Outputs>> => {
  if (o.task === "text-generation") return { model: decoder(o, sizes) };
  if (o.task !== "text2text-generation") return { model: encoder(o, sizes) };
  return { encoder_model: reader(o, sizes), decoder_model_merged: writer(o, sizes) };
};

/** Whole numbers [B T] of the model's inputs. */
const given = ({ whole = "i64" }: Pick<Sizes, "whole">, name: string, shape: readonly number[]): Tensor =>
  input(name, { dtype: whole, shape }).cast("i32");

/** What the files should answer: the same ends at fixed sizes, a text that is written on read whole, `decoder_` before a target's. */
export function answering(
  o: PortableOptions,
  { batch, sequence, source }: Omit<Sizes, "past" | "sourcePast">,
): Program {
  const sizes = { batch, sequence, source, past: 0, sourcePast: 0, whole: "i32" as const };
  if (o.task === "text-generation") return { outputs: encoder({ ...o, task: "fill-mask" }, sizes), next: {} };
  if (o.task !== "text2text-generation") return { outputs: encoder(o, sizes), next: {} };
  const { family, config } = o;
  const p = new Scope();
  const segments = given(sizes, "attention_mask", [batch, source]);
  const hidden = family.encode!(p, { ids: given(sizes, "input_ids", [batch, source]), segments }, config);
  const ids = given(sizes, "decoder_input_ids", [batch, sequence]);
  const logits = scores(p, family.body(p, { ids, memory: { hidden, segments } }, config), o);
  return { outputs: { last_hidden_state: hidden, logits }, next: {} };
}

/** Texts read at once: a vector for each token, or what a head makes of them. */
function encoder({ family, config, task, classes = 2, pooling }: PortableOptions, at: Sizes): Outputs {
  const p = new Scope();
  const { batch, sequence } = at;
  const row = (name: string) => given(at, name, [batch, sequence]);
  const x: LanguageInputs = {
    ids: row("input_ids"),
    segments: row("attention_mask"),
    ...(Number(config["tokenTypes"] ?? 0) > 1 && { types: row("token_type_ids") }),
  };
  const sizes = { p, batch, length: sequence };
  const own = reading(family, x);
  if (task === "text-classification")
    return {
      logits: textClassification(own, config, { ...sizes, classes, ...(pooling && { pooling }) }).outputs.logits,
    };
  if (task === "token-classification")
    return { logits: tokenClassification(own, config, { ...sizes, classes }).outputs.logits };
  if (task === "question-answering") {
    const [start, end] = spanExtraction(own, config, sizes).outputs.logits.split(2, [1, 1]) as [Tensor, Tensor];
    const flat = (t: Tensor) => t.reshape([batch, sequence]);
    return { start_logits: flat(start), end_logits: flat(end) };
  }
  const hidden = family.body(p, x, config);
  return task === "fill-mask" ? { logits: scores(p, hidden, { family, config }) } : { last_hidden_state: hidden };
}

/** A family that reads these inputs, whatever it is given. */
const reading = (family: AnyFamily, x: LanguageInputs): AnyFamily => ({
  ...family,
  body: (p, _, c) => family.body(p, x, c),
  pooled: (p, hidden, o, c) => family.pooled(p, hidden, { ...o, segments: x.segments! }, c),
});

/** [B T D] -> [B T V]. */
function scores(p: Scope, hidden: Tensor, { family, config }: Model): Tensor {
  const [B, T, D] = hidden.dims("B T D");
  return family.logits(p, hidden.reshape([B * T, D]), config).reshape([B, T, config.vocabSize]);
}

/** Text written on: keys and values of earlier tokens come in and go out, longer by the new ones. */
function decoder({ family, config }: PortableOptions, { batch, sequence, past }: Sizes): Outputs {
  const p = new Scope();
  const present: Record<string, Tensor> = {};
  const ids = given({}, "input_ids", [batch, sequence]);
  const mask = given({}, "attention_mask", [batch, past + sequence]);
  const places = where(mask.greater(0), cumsum(mask, { axis: 1 }), mask).sub(1);
  const queries = given({}, "position_ids", [batch, sequence]);
  const cache = pastCache(
    {
      positions: places.slice(1, 0, past),
      queries,
      name: (layer, _, part, when) => `${when === "past" ? "past_key_values" : "present"}.${layer}.${part}`,
    },
    present,
  );
  const x = { ids, positions: queries, segments: mask.slice(1, past, past + sequence), cache };
  const logits = scores(p, family.body(p, x, config), { family, config });
  return { logits, ...present };
}

/** The encoder of an encoder–decoder. */
function reader({ family, config }: PortableOptions, { batch, source }: Sizes): Outputs {
  const x = { ids: given({}, "input_ids", [batch, source]), segments: given({}, "attention_mask", [batch, source]) };
  return { last_hidden_state: family.encode!(new Scope(), x, config) };
}

/** Its decoder: of the source it is told the vectors whose keys are yet to be made. */
function writer({ family, config }: PortableOptions, { batch, sequence, past, source, sourcePast }: Sizes): Outputs {
  const p = new Scope();
  const present: Record<string, Tensor> = {};
  const places = rowPositions(1, past + sequence);
  const queries = places.slice(1, past, past + sequence).expand([batch, sequence]);
  const cache = pastCache(
    {
      positions: places.slice(1, 0, past).expand([batch, past]),
      queries,
      source: sourcePast,
      name: (layer, of, part, when) =>
        `${when === "past" ? "past_key_values" : "present"}.${layer}.${of === "self" ? "decoder" : "encoder"}.${part}`,
    },
    present,
  );
  const memory = {
    hidden: input("encoder_hidden_states", f32([batch, source, config.hiddenSize])),
    segments: given({}, "encoder_attention_mask", [batch, source + sourcePast]),
  };
  const x = { ids: given({}, "input_ids", [batch, sequence]), positions: queries, memory, cache };
  const logits = scores(p, family.body(p, x, config), { family, config });
  return { logits, ...present };
}
