/** Reads what the ONNX project's test cases are made of: a gzipped tar of protocol buffers. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { arrayOf, type Dtype, type Nd, nd, size } from "../src/ir/index.js";

/** The regular files of a .tar.gz by path. */
export function untar(path: string): Map<string, Uint8Array> {
  const bytes = gunzipSync(readFileSync(path));
  const files = new Map<string, Uint8Array>();
  const text = (from: number, length: number) => bytes.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= bytes.length && bytes[at]; ) {
    const length = Number.parseInt(text(at + 124, 12), 8);
    const kind = text(at + 156, 1);
    const name = [text(at + 345, 155), text(at, 100)].filter(Boolean).join("/");
    if (kind === "0" || kind === "") files.set(name, bytes.subarray(at + 512, at + 512 + length));
    at += 512 + Math.ceil(length / 512) * 512;
  }
  return files;
}

type Value = bigint | Uint8Array;
/** A message's fields: every value of a field number, in order. */
export class Message {
  private readonly fields = new Map<number, Value[]>();
  constructor(bytes: Uint8Array) {
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[at++]!;
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    while (at < bytes.length) {
      const tag = Number(varint());
      const wire = tag & 7;
      const length = wire === 2 ? Number(varint()) : wire === 5 ? 4 : 8;
      const value = wire === 0 ? varint() : bytes.subarray(at, at + length);
      if (wire !== 0) at += length;
      this.fields.set(tag >> 3, [...(this.fields.get(tag >> 3) ?? []), value]);
    }
  }
  bytes = (field: number): Uint8Array[] => (this.fields.get(field) ?? []) as Uint8Array[];
  texts = (field: number): string[] => this.bytes(field).map((b) => Buffer.from(b).toString());
  messages = (field: number): Message[] => this.bytes(field).map((b) => new Message(b));
  /** Whole numbers, packed or not. */
  ints(field: number): number[] {
    return (this.fields.get(field) ?? []).flatMap((v) =>
      typeof v === "bigint" ? [Number(BigInt.asIntN(64, v))] : new Message(packed(field, v)).ints(field),
    );
  }
  floats(field: number): number[] {
    return this.bytes(field).flatMap((b) =>
      Array.from({ length: b.length / 4 }, (_, i) => new DataView(b.buffer, b.byteOffset).getFloat32(4 * i, true)),
    );
  }
  int = (field: number, otherwise = 0): number => this.ints(field)[0] ?? otherwise;
}
/** A packed list of varints as the fields it stands for. */
function packed(field: number, list: Uint8Array): Uint8Array {
  const out: number[] = [];
  let fresh = true;
  for (const byte of list) {
    if (fresh) out.push(field * 8);
    out.push(byte);
    fresh = byte < 128;
  }
  return Uint8Array.from(out);
}

const dtypes: Readonly<Record<number, Dtype>> = { 1: "f32", 6: "i32", 7: "i64", 9: "bool", 10: "f16", 12: "u32" };

/** A TensorProto; undefined where its element type is none of ours. */
function readTensor(m: Message): Nd | undefined {
  const dtype = dtypes[m.int(2)];
  if (!dtype) return undefined;
  const shape = m.ints(1);
  const [raw] = m.bytes(9);
  if (raw?.length) return { dtype, shape, data: arrayOf(dtype, size(shape), Uint8Array.from(raw).buffer) };
  const typed = dtype === "f32" ? m.floats(4) : dtype === "i64" ? m.ints(7) : m.ints(5);
  return nd(dtype, shape, typed);
}
export const tensorOf = (bytes: Uint8Array): Nd | undefined => readTensor(new Message(bytes));

export interface OnnxNode {
  readonly type: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Readonly<Record<string, number | string | number[] | Nd | undefined>>;
}
export interface OnnxGraph {
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, Nd | undefined>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A ModelProto. */
export function modelOf(bytes: Uint8Array): OnnxGraph {
  const model = new Message(bytes);
  const graph = model.messages(7)[0]!;
  const name = (m: Message) => m.texts(1)[0]!;
  const constants = graph.messages(5).map((t): [string, Nd | undefined] => [t.texts(8)[0]!, readTensor(t)]);
  const initialised = new Map(constants);
  return {
    opset: Math.max(...model.messages(8).flatMap((m) => (m.texts(1)[0] ? [] : [m.int(2)]))),
    nodes: graph.messages(1).map(readNode),
    constants: initialised,
    // older files list a constant among the inputs too
    inputs: graph
      .messages(11)
      .map(name)
      .filter((input) => !initialised.has(input)),
    outputs: graph.messages(12).map(name),
  };
}

const readNode = (m: Message): OnnxNode => ({
  inputs: m.texts(1),
  outputs: m.texts(2),
  type: m.texts(4)[0]!,
  domain: m.texts(7)[0] ?? "",
  attrs: Object.fromEntries(m.messages(5).map((a) => [a.texts(1)[0]!, readAttribute(a)])),
});

/** AttributeProto by its type field: float, int, string, tensor, floats, ints. */
function readAttribute(a: Message): OnnxNode["attrs"][string] {
  const kinds: Readonly<Record<number, () => OnnxNode["attrs"][string]>> = {
    1: () => a.floats(2)[0],
    2: () => a.int(3),
    3: () => a.texts(4)[0],
    4: () => readTensor(a.messages(5)[0]!),
    6: () => a.floats(7),
    7: () => a.ints(8),
  };
  return kinds[a.int(20)]?.();
}
