/** Protocol buffers, as much as an ONNX model needs: one growing buffer that fields are appended to. */
import { type Dtype, fail, type OnnxAttrs } from "../ir/index.js";

/** Appends fields of the protocol-buffer wire format. */
class Writer {
  private buffer: Uint8Array<ArrayBuffer>;
  private length = 0;

  /** `room` is how many bytes are likely to be written. */
  constructor(room: number) {
    this.buffer = new Uint8Array(room);
  }

  /** A whole number; a negative one takes ten bytes, as int64 does. */
  int(field: number, value: number): this {
    this.varint(field * 8);
    return this.varint(value);
  }
  /** A single-precision number. */
  float(field: number, value: number): this {
    this.varint(field * 8 + 5);
    this.reserve(4);
    new DataView(this.buffer.buffer).setFloat32(this.length, value, true);
    this.length += 4;
    return this;
  }
  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }
  bytes(field: number, value: Uint8Array): this {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
    return this;
  }
  /** A message inside this one, written by `body`. */
  message(field: number, body: (w: this) => void): this {
    this.varint(field * 8 + 2);
    const start = this.length;
    body(this);
    const written = this.length - start;
    const prefix = varintSize(written);
    this.reserve(prefix);
    this.buffer.copyWithin(start + prefix, start, this.length);
    this.length = start;
    this.varint(written);
    this.length += written;
    return this;
  }
  /** What was written so far. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  private varint(value: number): this {
    this.reserve(10);
    if (value < 0) return this.negative(BigInt.asUintN(64, BigInt(value)));
    let rest = value;
    while (rest > 127) {
      this.buffer[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.length++] = rest;
    return this;
  }
  private negative(value: bigint): this {
    let rest = value;
    for (; rest > 127n; rest >>= 7n) this.buffer[this.length++] = Number(rest & 127n) | 128;
    this.buffer[this.length++] = Number(rest);
    return this;
  }
  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + bytes));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}
const encoder = new TextEncoder();
const varintSize = (value: number): number => (value < 128 ? 1 : 1 + varintSize(Math.floor(value / 128)));

/** ONNX's numbers for element types (TensorProto.DataType). */
const elementTypes = { f32: 1, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, u32: 12, bf16: 16 } satisfies Record<
  Dtype | "i8",
  number
>;

/** TensorProto, its values as raw little-endian bytes. */
export interface OnnxTensor {
  readonly name: string;
  readonly dtype: Dtype | "i8";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}
/** NodeProto. An attribute may also be a tensor. */
export interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: OnnxAttrs;
  readonly domain: string;
  readonly tensor?: OnnxTensor;
}
/** ValueInfoProto: a name and a type; an axis of any length has a name in place of its size. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly (number | string)[];
}
export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly initialisers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Operator sets by domain; "" is ONNX's own. */
  readonly opsets: Readonly<Record<string, number>>;
}

const irVersion = 10;

/** ModelProto as bytes. */
export function serialise(model: OnnxModel): Uint8Array {
  const weights = model.initialisers.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const w = new Writer(weights + (1 << 16));
  w.int(1, irVersion).text(2, "plinth");
  w.message(7, () => {
    for (const node of model.nodes) w.message(1, () => writeNode(w, node));
    w.text(2, "plinth");
    for (const t of model.initialisers) w.message(5, () => writeTensor(w, t));
    for (const v of model.inputs) w.message(11, () => writeValue(w, v));
    for (const v of model.outputs) w.message(12, () => writeValue(w, v));
  });
  for (const [domain, version] of Object.entries(model.opsets)) w.message(8, () => w.text(1, domain).int(2, version));
  return w.finish();
}

function writeNode(w: Writer, node: OnnxNode): void {
  for (const name of node.inputs) w.text(1, name);
  for (const name of node.outputs) w.text(2, name);
  w.text(3, node.outputs.find(Boolean) ?? "").text(4, node.type);
  for (const [name, value] of Object.entries(node.attrs)) w.message(5, () => writeAttribute(w, name, value));
  if (node.tensor)
    w.message(5, () =>
      w
        .text(1, "value")
        .message(5, () => writeTensor(w, node.tensor!))
        .int(20, 4),
    );
  if (node.domain) w.text(7, node.domain);
}

function writeAttribute(w: Writer, name: string, value: OnnxAttrs[string]): void {
  w.text(1, name);
  if (typeof value === "string") w.text(4, value).int(20, 3);
  else if (typeof value === "number") {
    if (Number.isInteger(value)) w.int(3, value).int(20, 2);
    else w.float(2, value).int(20, 1);
  } else if ("float" in value) w.float(2, value.float).int(20, 1);
  else if (value.every(Number.isInteger)) {
    for (const x of value) w.int(8, x);
    w.int(20, 7);
  } else throw fail("internal", `ONNX attribute ${name} is a list of fractions: ${value}`);
}

function writeTensor(w: Writer, t: OnnxTensor): void {
  for (const n of t.shape) w.int(1, n);
  w.int(2, elementTypes[t.dtype]);
  if (t.name) w.text(8, t.name);
  w.bytes(9, t.bytes);
}

function writeValue(w: Writer, v: OnnxValue): void {
  w.text(1, v.name).message(2, () =>
    w.message(1, () =>
      w.int(1, elementTypes[v.dtype]).message(2, () => {
        for (const n of v.shape) w.message(1, () => (typeof n === "number" ? w.int(1, n) : w.text(2, n)));
      }),
    ),
  );
}
