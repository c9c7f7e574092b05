/** The `onnx/` files of an export, as transformers.js looks for them, each held to the model before it stays. */
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fail, params, roots, size } from "../ir/index.js";
import { makeFolder, replaceFile, requireSpace } from "../models/index.js";
import { emitModel, halved, type OnnxModel, quantisedModel, serialise, speaks } from "../onnx/index.js";
import { prepare } from "../passes/index.js";
import { type OnnxFile, openOnnxFile } from "../runtime/index.js";
import { weightsOf } from "./export-folder.js";
import { type Distance, type Gate, type GateOptions, openGate } from "./export-gate.js";
import { type Portable, portable } from "./portable.js";

/** How weights are stored: what the file's name ends with, what is made of the model, and how far its answers may be. */
export const precisions = {
  f32: {
    suffix: "",
    stored: (model: OnnxModel) => model,
    measure: "largest",
    tolerance: 1e-4,
    bytes: 4,
  },
  f16: { suffix: "_fp16", stored: halved, measure: "mean", tolerance: 0.01, bytes: 2 },
  int8: { suffix: "_quantized", stored: quantisedModel, measure: "mean", tolerance: 0.2, bytes: 1 },
} as const;
export type Precision = keyof typeof precisions;

export interface ExportedFile extends Distance {
  readonly file: string;
  readonly bytes: number;
  readonly precision: Precision;
}

/** Protocol buffers end at 2 GB. */
const mostBytes = 2 ** 31 - 1;

/**
 * Write the files of each precision, the most exact first. Throws `parity` where one answers differently, and takes it away; `onnx` for
 * a model that ONNX cannot say or that is too large for a file; `disk`.
 */
export async function* exportOnnx(
  folder: string,
  { precisions: wanted, ...o }: GateOptions & { readonly precisions: readonly Precision[] },
): AsyncGenerator<ExportedFile> {
  const at = join(folder, "onnx");
  await makeFolder(at);
  const files = await Promise.all(portable(o).map(async (file) => ({ ...file, model: await emitted(file, o) })));
  await using gate = await openGate(o);
  for (const precision of wanted) {
    const paths = new Map(files.map(({ file }) => [file, join(at, `${file}${precisions[precision].suffix}.onnx`)]));
    for (const { file, model } of files) await write(paths.get(file)!, model, precision);
    const found = await held(gate, paths, precision);
    for (const path of paths.values()) yield { file: path, bytes: (await stat(path)).size, precision, ...found };
  }
}

async function emitted({ file, program, axes }: Portable, { base }: GateOptions): Promise<OnnxModel> {
  const prepared = prepare(program, speaks);
  const weights = await weightsOf(base, params(roots(prepared)));
  const { model } = emitModel(prepared, { axes, weights });
  return file === "decoder_model_merged" ? cut(model) : model;
}

async function write(path: string, model: OnnxModel, precision: Precision): Promise<void> {
  const bytes = model.initialisers.reduce((sum, t) => sum + size(t.shape), 0) * precisions[precision].bytes;
  requireFits(path, bytes);
  await requireSpace(path, bytes, "an ONNX file");
  await replaceFile(path, serialise(precisions[precision].stored(model)));
}

/** Throws `onnx` for so many bytes of weights. */
export function requireFits(path: string, bytes: number): void {
  if (bytes > mostBytes)
    throw fail(
      "onnx",
      `${(bytes / 1e9).toFixed(1)} GB of weights do not fit in an ONNX file, which ends at 2 GB`,
      "export in fewer bytes: --precisions f16,int8",
      path,
    );
}

/** Run the files beside the model. */
async function held(gate: Gate, paths: ReadonlyMap<string, string>, precision: Precision): Promise<Distance> {
  const open = new Map<string, OnnxFile>();
  try {
    for (const [file, path] of paths) open.set(file, await openOnnxFile(path));
    const distance = await gate.distance(open);
    const { measure, tolerance } = precisions[precision];
    if (distance[measure] <= tolerance) return distance;
    throw fail(
      "parity",
      `stored as ${precision}, the model's answers differ by ${distance[measure].toExponential(1)} of their size, more than ${tolerance}`,
      precision === "f32" ? "report it, with the model's config.json" : "leave this precision out: --precisions f32",
      [...paths.values()].join(", "),
    );
  } catch (error) {
    for (const path of paths.values()) await rm(path, { force: true });
    throw error;
  } finally {
    for (const file of open.values()) await file.close();
  }
}

/**
 * A decoder that is told by `use_cache_branch` whether keys of the source were made before: it then reads none of its vectors. (Merged
 * decoders of other makers have a branch there; a source of length 0 needs none.)
 */
function cut(model: OnnxModel): OnnxModel {
  const source = "encoder_hidden_states";
  const left = `${source}.left`;
  const list = (name: string, value: bigint) => ({
    name,
    dtype: "i64" as const,
    shape: [1],
    bytes: new Uint8Array(BigInt64Array.of(value).buffer),
  });
  const [none, first, all] = ["source.none", "source.axis", "source.all"] as const;
  const plain = { attrs: {}, domain: "" };
  return {
    ...model,
    inputs: [...model.inputs, { name: "use_cache_branch", dtype: "bool", shape: [1] }],
    initialisers: [...model.initialisers, list(none, 0n), list(first, 1n), list(all, 2n ** 62n)],
    nodes: [
      { type: "Where", inputs: ["use_cache_branch", none, all], outputs: ["source.end"], ...plain },
      { type: "Slice", inputs: [source, none, "source.end", first], outputs: [left], ...plain },
      ...model.nodes.map((n) => ({ ...n, inputs: n.inputs.map((name) => (name === source ? left : name)) })),
    ],
  };
}

/** What a file's distance says to people. */
export const said = ({ bytes, precision, agreement, ...d }: ExportedFile): string => {
  const { measure, tolerance } = precisions[precision];
  const same = `${(100 * agreement).toFixed(1)} % of the best answers are the same`;
  return `${(bytes / 1e6).toFixed(1)} MB, ${measure} difference ${d[measure].toExponential(1)} (at most ${tolerance}), ${same}`;
};
