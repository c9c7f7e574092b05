/** What the ort engine's two threads say to each other. */
import type { Dtype, Nd, Type } from "../ir/index.js";

/** A program as the worker needs it: `result` is the ONNX model's name for a value. */
export interface Loaded {
  readonly bytes: Uint8Array;
  readonly params: readonly string[];
  readonly outputs: readonly Result[];
  readonly next: readonly Result[];
}
export interface Result {
  readonly name: string;
  readonly result: string;
  readonly type: Type;
}

export type Message =
  | { readonly kind: "start" }
  | { readonly kind: "write"; readonly name: string; readonly value: Nd }
  | { readonly kind: "read"; readonly name: string; readonly dtype: Dtype }
  | { readonly kind: "load"; readonly id: number; readonly load: Loaded; readonly threads?: number | undefined }
  | {
      readonly kind: "run";
      readonly id: number;
      readonly feeds: Readonly<Record<string, Nd>>;
      /** Leave the state as it was where an output that is one f32 number is not finite. */
      readonly guarded: boolean;
    }
  | { readonly kind: "close" };
export type Request = Message & { readonly ticket: number };
export interface Reply {
  readonly ticket: number;
  readonly value?: unknown;
  readonly error?: string;
}
