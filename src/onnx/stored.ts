/** Weights of an ONNX model in fewer bytes: as half-precision numbers, or as whole numbers of eight bits. */
import { fail, size, toHalf } from "../ir/index.js";
import type { OnnxModel, OnnxNode, OnnxTensor } from "./protobuf.js";

/** Weights below so many numbers stay as they are. */
const small = 1024;
const isLarge = (t: OnnxTensor): boolean => t.dtype === "f32" && size(t.shape) >= small;
const floatsOf = ({ bytes }: OnnxTensor): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const node = (type: string, inputs: readonly string[], output: string, attrs: OnnxNode["attrs"] = {}): OnnxNode => ({
  type,
  inputs,
  outputs: [output],
  attrs,
  domain: "",
});

/**
 * Large weights in half precision, widened where the model is loaded: half the file, the speed of f32. The arithmetic stays f32,
 * which runs on every machine. Throws `parity` for a weight that half precision has no number for.
 */
export function halved(model: OnnxModel): OnnxModel {
  const widened: OnnxNode[] = [];
  const initialisers = model.initialisers.map((t) => {
    if (!isLarge(t)) return t;
    const name = `${t.name}.f16`;
    const data = Uint16Array.from(floatsOf(t), toHalf);
    const lost = data.findIndex((bits) => (bits & 0x7fff) >= 0x7c00);
    if (lost >= 0)
      throw fail("parity", `a weight of ${floatsOf(t)[lost]} is no half-precision number`, "store it as f32", t.name);
    widened.push(node("Cast", [name], t.name, { to: 1 }));
    return { name, dtype: "f16" as const, shape: t.shape, bytes: bytesOf(data) };
  });
  return { ...model, initialisers, nodes: [...widened, ...model.nodes] };
}

/** The largest stored number: a product of two neighbours with bytes then fits in 16 bits, which processors without VNNI add them in. */
const most = 63;

interface Quantised {
  readonly weight: OnnxTensor;
  readonly scale: OnnxTensor;
}
/** One number for each row (or column) of a matrix, and whole numbers to multiply it with. */
function quantised(t: OnnxTensor, along: "rows" | "columns"): Quantised {
  const [rows, columns] = t.shape as [number, number];
  const values = floatsOf(t);
  const count = along === "rows" ? rows : columns;
  const scale = new Float32Array(count);
  const at = (i: number) => (along === "rows" ? Math.floor(i / columns) : i % columns);
  for (let i = 0; i < values.length; i++) scale[at(i)] = Math.max(scale[at(i)]!, Math.abs(values[i]!));
  for (let i = 0; i < count; i++) scale[i] = scale[i]! / most || 1;
  const data = Int8Array.from(values, (x, i) => Math.round(x / scale[at(i)]!));
  return {
    weight: { name: `${t.name}.i8`, dtype: "i8", shape: t.shape, bytes: bytesOf(data) },
    scale: { name: `${t.name}.scale`, dtype: "f32", shape: [count], bytes: bytesOf(scale) },
  };
}

/**
 * Matrices as whole numbers of eight bits with a scale for each output: products multiply whole numbers, the other side rounded to
 * bytes as it comes (ONNX's dynamic quantisation), and rows of tables are widened as they are read.
 */
export function quantisedModel(model: OnnxModel): OnnxModel {
  const floats = new Map(model.initialisers.filter((t) => isLarge(t) && t.shape.length === 2).map((t) => [t.name, t]));
  const turned = new Map(
    model.nodes
      .filter((n) => n.type === "Transpose" && floats.has(n.inputs[0]!))
      .map((n) => [n.outputs[0]!, n.inputs[0]!]),
  );
  const added = new Map<string, OnnxTensor>();
  const made = new Map<string, string>();
  const keep = (t: OnnxTensor) => {
    added.set(t.name, t);
    return t.name;
  };
  const store = (name: string, along: "rows" | "columns") => {
    const other = along === "rows" ? "" : ".columns";
    const held = added.get(`${name}${other}.i8`);
    if (held) return { weight: held.name, scale: `${name}${other}.scale` };
    const { weight, scale } = quantised({ ...floats.get(name)!, name: `${name}${other}` }, along);
    return { weight: keep(weight), scale: keep(scale) };
  };
  const say = (n: OnnxNode): OnnxNode[] => {
    const [left, right] = n.inputs as [string, string];
    const output = n.outputs[0]!;
    if (n.type === "Gather" && floats.has(left)) return rowsOf(store(left, "rows"), right, output);
    const from = turned.get(right) ?? (floats.has(right) ? right : undefined);
    if (n.type !== "MatMul" || from === undefined) return [n];
    const stored = store(from, turned.has(right) ? "rows" : "columns");
    return [...bytesOnce(left, made), ...product({ left, output, turned: turned.has(right), ...stored }, made)];
  };
  return swept({ ...model, nodes: model.nodes.flatMap(say), initialisers: [...model.initialisers, ...added.values()] });
}

/** Rows of a table by number, widened. */
const rowsOf = (table: { weight: string; scale: string }, ids: string, output: string): OnnxNode[] => [
  node("Gather", [table.weight, ids], `${output}.rows`),
  node("Cast", [`${output}.rows`], `${output}.floats`, { to: 1 }),
  node("Gather", [table.scale, ids], `${output}.scales`),
  node("Unsqueeze", [`${output}.scales`, lastAxis.name], `${output}.factors`),
  node("Mul", [`${output}.floats`, `${output}.factors`], output),
];
const lastAxis: OnnxTensor = {
  name: "axis.last",
  dtype: "i64",
  shape: [1],
  bytes: bytesOf(BigInt64Array.of(-1n)),
};

/** A value as bytes: made once, however many products read it. */
function bytesOnce(x: string, made: Map<string, string>): OnnxNode[] {
  if (made.has(x)) return [];
  made.set(x, x);
  const outputs = [`${x}.u8`, `${x}.u8.scale`, `${x}.u8.zero`];
  return [{ type: "DynamicQuantizeLinear", inputs: [x], outputs, attrs: {}, domain: "" }];
}

interface Product {
  readonly left: string;
  readonly weight: string;
  readonly scale: string;
  readonly output: string;
  /** The matrix is stored with its outputs along the rows. */
  readonly turned: boolean;
}
function product({ left, weight, scale, output, turned }: Product, made: Map<string, string>): OnnxNode[] {
  const side = turned ? `${weight}.turned` : weight;
  const turn = turned && !made.has(side) ? [node("Transpose", [weight], side, { perm: [1, 0] })] : [];
  made.set(side, side);
  return [
    ...turn,
    node("MatMulInteger", [`${left}.u8`, side, `${left}.u8.zero`], `${output}.i32`),
    node("Cast", [`${output}.i32`], `${output}.whole`, { to: 1 }),
    node("Mul", [`${left}.u8.scale`, scale], `${output}.scale`),
    node("Mul", [`${output}.whole`, `${output}.scale`], output),
  ];
}

/** Without the weights and nodes that nothing reads. */
function swept(model: OnnxModel): OnnxModel {
  const used = new Set(model.outputs.map(({ name }) => name));
  const nodes = [...model.nodes].reverse().filter((n) => {
    if (!n.outputs.some((name) => used.has(name))) return false;
    for (const name of n.inputs) used.add(name);
    return true;
  });
  const all = [...model.initialisers, lastAxis];
  return { ...model, nodes: nodes.reverse(), initialisers: all.filter(({ name }) => used.has(name)) };
}
