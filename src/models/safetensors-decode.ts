/** The bytes of a stored tensor as host data, its floats widened where that is asked for. */
import { arrayOf, type Dtype, fail, type Nd, size } from "../ir/index.js";
import type { StoredDtype, StoredTensor } from "./safetensors-header.js";

const kept: Partial<Record<StoredDtype, Dtype>> = {
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  I32: "i32",
  I64: "i64",
  U32: "u32",
  BOOL: "bool",
};
const small = { U8: Uint8Array, I8: Int8Array, I16: Int16Array, U16: Uint16Array } as const;

export interface DecodeOptions {
  readonly floats: "stored" | "f32";
  /** What an error names. */
  readonly at: string;
  /** Memory for widened floats; their own if absent. */
  readonly room?: { wide(length: number): Float32Array } | undefined;
}

/** Host data of a tensor from its bytes, of which it is a view where nothing is converted. Throws code checkpoint. */
export function decode(
  raw: Uint8Array,
  { dtype, shape }: Pick<StoredTensor, "dtype" | "shape">,
  { floats, at, room }: DecodeOptions,
): Nd {
  const make = (d: Dtype, data: Nd["data"]): Nd => ({ dtype: d, shape, data });
  const { buffer, byteOffset } = raw as Uint8Array<ArrayBuffer>;
  const as = kept[dtype];
  if (as === "bool" && raw.some((b) => b > 1))
    throw fail(
      "checkpoint",
      `${at}: a bool is stored as neither 0 nor 1`,
      "download or save it again, or name another file",
    );
  const n = size(shape);
  if ((as === "f16" || as === "bf16") && floats === "f32") {
    const bits = new Uint16Array(buffer, byteOffset, n);
    return make("f32", widen(bits, as, room?.wide(n)));
  }
  if (as) return make(as, arrayOf(as, n, buffer, byteOffset));
  if (dtype === "F64") return make("f32", Float32Array.from(new Float64Array(buffer, byteOffset, n)));
  if (dtype in small)
    return make("i32", Int32Array.from(new small[dtype as keyof typeof small](buffer, byteOffset, n)));
  throw fail(
    "checkpoint",
    `${at}: elements of type ${dtype} are not supported`,
    "convert the file to F32, F16 or BF16",
  );
}

/** f16 or bf16 bits as the f32 numbers that they stand for, all of them exact. */
export function widen(
  bits: Uint16Array,
  dtype: "f16" | "bf16",
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, bits.length);
  if (dtype === "bf16") for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  else {
    // twice as fast as taking each number apart
    halves ??= Uint32Array.from({ length: 1 << 16 }, (_, half) => halfToFloatBits(half));
    for (let i = 0; i < bits.length; i++) words[i] = halves[bits[i]!]!;
  }
  return out;
}

/** Bits of the f32 that equals each f16: made when it is first needed. */
let halves: Uint32Array | undefined;

/** Bits of the f32 that equals an f16. */
function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  let exponent = (half >>> 10) & 31;
  let mantissa = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent === 0) {
    if (mantissa === 0) return sign;
    // a subnormal half is a normal float: shift until the leading bit is implicit
    for (exponent = 1; !(mantissa & 0x400); exponent--) mantissa <<= 1;
    mantissa &= 0x3ff;
  }
  return sign | ((exponent + 112) << 23) | (mantissa << 13);
}
