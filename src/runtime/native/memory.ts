/** What a plan's values lie in: buffers, views of them, and instructions that read and write them. */
import { bytesOf, type Dtype, fail, type Node, type Shape, size, type Tensor } from "../../ir/index.js";

/** Memory of one kind. `arena`: of the run; `state`, `input`, `output`: named values; `constant`: part of the plan. */
export interface Buffer {
  readonly kind: "arena" | "state" | "input" | "output" | "constant";
  readonly bytes: number;
  readonly name: string;
  /** The bytes of a constant. */
  readonly data?: Uint8Array;
  /** The value that lies in it, where it is a value of the run. */
  readonly of?: Tensor;
}

/** A value in a buffer: element `i, j, …` is at `offset + i * strides[0] + j * strides[1] + …`, counted in elements. */
export interface View {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly strides: readonly number[];
  /** What must be there before it is read. */
  readonly after?: readonly Buffer[];
}

/** What reading a view waits for. */
export const waitedFor = ({ buffer, after = [] }: View): Buffer[] => [buffer, ...after];

/** Where in a buffer: two words of a plan, a slot's number and an offset. */
export type Place = Pick<View, "buffer" | "offset">;
export type Word = number | Place;

/** One call of a kernel. */
export interface Instruction {
  readonly kernel: string;
  readonly words: readonly Word[];
  readonly reads: readonly Buffer[];
  readonly writes: readonly Buffer[];
  /** Results that may take the memory of something read, where that is not needed afterwards. */
  readonly inPlace: readonly (readonly [from: Buffer, to: Buffer])[];
  /** The values that it computes: what a profile and a printed plan say of it. */
  readonly of: readonly Tensor[];
  /** The nodes that it carries out, inside a group too; none for a copy. */
  readonly nodes: readonly Node[];
}

export const rowMajor = (shape: Shape): number[] => {
  const strides = new Array<number>(shape.length);
  for (let d = shape.length - 1, stride = 1; d >= 0; stride *= shape[d--]!) strides[d] = stride;
  return strides;
};

/** Whether the elements lie one after another in row-major order; strides of axes of size one do not count. */
export function isContiguous({ shape, strides }: Pick<View, "shape" | "strides">): boolean {
  const wanted = rowMajor(shape);
  return size(shape) === 0 || shape.every((n, d) => n === 1 || strides[d] === wanted[d]);
}

export const bytesOfView = (dtype: Dtype, shape: Shape): number => bytesOf[dtype] * size(shape);

/** The bits of a float, as a word of a plan. */
export function floatWord(x: number): number {
  scratch.setFloat32(0, x);
  return scratch.getUint32(0);
}
const scratch = new DataView(new ArrayBuffer(4));

/** A whole number as one word. Throws `engine` where it does not fit. */
export function word(n: number): number {
  if (!(Number.isInteger(n) && n >= 0 && n < 2 ** 32))
    throw fail(
      "engine",
      `the native engine counts to 2³² elements, not to ${n}`,
      "use the ort engine, or smaller sizes",
    );
  return n;
}
