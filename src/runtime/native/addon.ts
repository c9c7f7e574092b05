/** The compiled part of the native engine: where it is found, and why there is none. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addonFile, addonPackage, hostTarget } from "./targets.js";

export interface NativeRun {
  readonly ended: "done" | "cancelled" | "guarded";
  readonly outputs: readonly Uint8Array[];
  readonly nanoseconds: readonly number[];
}
/** `native/src/bridge.rs` is its other side. */
export interface Addon {
  /** The version of plinth that it was built for. */
  version(): string;
  /** The instruction set that its kernels use here. */
  features(): string;
  kernels(): string[];
  ops(): string[];
  peak(threads: number): number;
  Session: new (
    threads: number,
  ) => {
    write(number: number, bytes: Uint8Array): void;
    /** A part of a value that has `total` bytes. */
    fill(number: number, total: number, offset: number, bytes: Uint8Array): void;
    read(number: number): Uint8Array;
    load(words: Uint32Array, constants: Uint8Array): { readonly id: number; readonly bytes: number };
    run(id: number, inputs: readonly Uint8Array[], guarded: boolean, timed: boolean): Promise<NativeRun>;
    cancel(): void;
    close(): void;
  };
}
export interface LoadedAddon {
  readonly addon?: Addon;
  /** Where it is from, or why there is none and what to do about it. */
  readonly why: string;
}

/** The addon: a checkout's own build, or else the platform's package. `root`: the folder of plinth's package.json. */
export function loadAddon(root = fileURLToPath(new URL("../../..", import.meta.url))): LoadedAddon {
  const target = hostTarget();
  if (!target) return { why: `there is no native engine for ${process.platform}-${process.arch}` };
  const require = createRequire(join(root, "package.json"));
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const built = join(root, "native", addonFile(target));
  if (existsSync(built))
    return checked(() => require(built) as Addon, version, {
      from: "built here",
      remedy: `delete ${built} and run \`npm run build\``,
    });
  const name = addonPackage(target);
  const install = `run \`npm install ${name}@${version}\``;
  try {
    require.resolve(name);
  } catch {
    const checkout = existsSync(join(root, "native", "Cargo.toml"));
    return {
      why: checkout
        ? "not built: install a Rust toolchain (rustup), then run `npm run build`"
        : `not installed: ${install}`,
    };
  }
  return checked(() => require(name) as Addon, version, { from: name, remedy: install });
}

function checked(open: () => Addon, version: string, { from, remedy }: { from: string; remedy: string }): LoadedAddon {
  try {
    const addon = open();
    const other = addon.version();
    return other === version
      ? { addon, why: from }
      : { why: `built for plinth ${other}, this is ${version}: ${remedy}` };
  } catch (error) {
    return { why: `does not load: ${(error as Error).message}: ${remedy}` };
  }
}
