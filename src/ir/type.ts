/** What a value is: an element type and a static shape. */
export const dtypes = ["f32", "f16", "bf16", "i32", "i64", "u32", "bool"] as const;
export type Dtype = (typeof dtypes)[number];
export type Shape = readonly number[];
export interface Type {
  readonly dtype: Dtype;
  readonly shape: Shape;
}

/** The number of elements a shape holds; 1 for a scalar. */
export const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
export const show = (t: Type): string => `${t.dtype}[${t.shape.join(",")}]`;
export const isFloat = (dtype: Dtype): boolean => dtype === "f32" || dtype === "f16" || dtype === "bf16";
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i]);

/** Bytes of one element, in memory and in files. */
export const bytesOf = { f32: 4, f16: 2, bf16: 2, i32: 4, i64: 8, u32: 4, bool: 1 } satisfies Record<Dtype, number>;

export const f32 = (shape: Shape): Type => ({ dtype: "f32", shape });
export const i32 = (shape: Shape): Type => ({ dtype: "i32", shape });
export const u32 = (shape: Shape): Type => ({ dtype: "u32", shape });
