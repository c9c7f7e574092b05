/** A tensor a piece at a time: how it is cut, and the memory that its pieces share. */
import type { Nd, Shape } from "../ir/index.js";
import type { StoredTensor } from "./safetensors-header.js";

/** Rows of a tensor from one on, along its first axis. */
export interface Piece {
  readonly at: number;
  readonly value: Nd;
}

/** Memory that pieces are read into, one after another: what is in it is valid until the next one. */
export interface Room {
  /** The most bytes of a piece, as a file stores it, but for one row that is larger. */
  readonly bytes: number;
  take(bytes: number): Uint8Array;
  /** For floats that are widened. */
  wide(length: number): Float32Array;
}

/** Memory for pieces of at most so many bytes; it is taken when it is first needed. */
export function room(bytes: number): Room {
  let raw = new Uint8Array(0);
  let floats = new Float32Array(0);
  return {
    bytes,
    take(wanted) {
      if (raw.length < wanted) raw = new Uint8Array(Math.max(wanted, bytes));
      return raw.subarray(0, wanted);
    },
    wide(length) {
      if (floats.length < length) floats = new Float32Array(Math.max(length, bytes >> 1));
      return floats.subarray(0, length);
    },
  };
}

interface SpanOfRows {
  readonly at: number;
  readonly shape: Shape;
  /** Offsets of its bytes, as the tensor's. */
  readonly begin: number;
  readonly end: number;
}

/** Pieces that cover a tensor, all of one shape: the last one begins before the one in front of it ends where rows do not divide evenly. */
export function* spans({ shape, begin, end }: StoredTensor, most: number): Generator<SpanOfRows> {
  const [rows, ...rest] = shape;
  if (rows === undefined || end - begin <= most) return yield { at: 0, shape, begin, end };
  const rowBytes = (end - begin) / rows;
  const count = Math.max(1, Math.floor(most / rowBytes));
  for (let from = 0; from < rows; from += count) {
    const at = Math.min(from, rows - count);
    yield { at, shape: [count, ...rest], begin: begin + at * rowBytes, end: begin + (at + count) * rowBytes };
  }
}
