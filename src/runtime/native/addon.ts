/** The compiled part of the native engine. */
import { createRequire } from "node:module";
import { addonFile, hostTarget } from "./targets.js";

export interface NativeRun {
  readonly ended: "done" | "cancelled" | "guarded";
  readonly outputs: readonly Uint8Array[];
  readonly nanoseconds: readonly number[];
}
export interface Addon {
  version(): string;
  features(): string;
  kernels(): string[];
  ops(): string[];
  peak(threads: number): number;
  Session: new (
    threads: number,
  ) => {
    write(number: number, bytes: Uint8Array): void;
    read(number: number): Uint8Array;
    load(words: Uint32Array, constants: Uint8Array): { readonly id: number; readonly bytes: number };
    run(id: number, inputs: readonly Uint8Array[], guarded: boolean, timed: boolean): Promise<NativeRun>;
    cancel(): void;
    close(): void;
  };
}
export function loadAddon(): { readonly addon?: Addon; readonly why: string } {
  try {
    const require = createRequire(import.meta.url);
    return { addon: require(`../../../native/${addonFile(hostTarget()!)}`) as Addon, why: "built here" };
  } catch (e) {
    return { why: (e as Error).message };
  }
}
