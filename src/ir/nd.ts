/** Host data: what goes into a program and what comes out of it. */
import { fail } from "./error.js";
import { type Dtype, type Shape, size } from "./type.js";

/** The array that holds each element type; f16 and bf16 as their bits. */
export interface Arrays {
  f32: Float32Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  i32: Int32Array;
  i64: BigInt64Array;
  u32: Uint32Array;
  bool: Uint8Array;
}
export type NdArray = Arrays[Dtype];
export interface Nd<D extends Dtype = Dtype> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: Arrays[D];
}

/** The same values in float64: what `ref` computes with, whatever the element type. */
export interface Exact {
  readonly shape: Shape;
  readonly data: Float64Array;
}

const constructors = {
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i32: Int32Array,
  i64: BigInt64Array,
  u32: Uint32Array,
  bool: Uint8Array,
} as const;

/** An array of the element type, zeroed, or a view of `buffer`. */
export function arrayOf(dtype: Dtype, length: number, buffer?: ArrayBufferLike, byteOffset = 0): NdArray {
  const Kind = constructors[dtype];
  return buffer ? new Kind(buffer as ArrayBuffer, byteOffset, length) : new Kind(length);
}

/** Host data from numbers: `nd("i32", [2, 3], [1, 2, 3, 4, 5, 6])`; one number fills the shape. Throws when the count differs. */
export function nd<D extends Dtype>(dtype: D, shape: Shape, values: ArrayLike<number> | number): Nd<D> {
  const data = arrayOf(dtype, size(shape));
  const n = typeof values === "number" ? data.length : values.length;
  if (n !== data.length)
    throw fail("shape", `${dtype}[${shape.join(",")}] holds ${data.length} elements, got ${n} values`);
  for (let i = 0; i < n; i++) {
    const x = typeof values === "number" ? values : values[i]!;
    data[i] = dtype === "i64" ? BigInt(x) : dtype === "f16" ? toHalf(x) : dtype === "bf16" ? toBfloat(x) : x;
  }
  return { dtype, shape, data: data as Arrays[D] };
}

/** Host data to float64. */
export function exact(x: Nd): Exact {
  const data = new Float64Array(x.data.length);
  const read = x.dtype === "f16" ? fromHalf : x.dtype === "bf16" ? fromBfloat : Number;
  for (let i = 0; i < data.length; i++) data[i] = read(x.data[i] as number);
  return { shape: x.shape, data };
}

const scratch = new DataView(new ArrayBuffer(8));

/** IEEE half-precision bits of a number, rounded to nearest even. */
export function toHalf(x: number): number {
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 : 0);
  const e = exponent - 112;
  if (e >= 31) return sign | 0x7c00;
  if (e < -10) return sign;
  // a subnormal half shifts the implicit bit in as well
  const full = e > 0 ? mantissa : mantissa | 0x800000;
  const shift = e > 0 ? 13 : 14 - e;
  const rounded = full >>> shift;
  const rest = full & ((1 << shift) - 1);
  const halfway = 1 << (shift - 1);
  const up = rest > halfway || (rest === halfway && (rounded & 1) === 1) ? 1 : 0;
  return sign | ((Math.max(e, 0) << 10) + rounded + up);
}

/** The number that IEEE half-precision bits stand for. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 bits of a number, rounded to nearest even. */
export function toBfloat(x: number): number {
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(x)) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The number that bfloat16 bits stand for. */
function fromBfloat(bits: number): number {
  scratch.setUint32(0, (bits << 16) >>> 0);
  return scratch.getFloat32(0);
}
