/** Configuration files: TypeScript, JSON or YAML, one section a command, and where each value stands in them. */
import { existsSync, readFileSync } from "node:fs";
import { extname, join, relative, resolve } from "node:path";
import type { z } from "zod";
import { fail } from "../ir/index.js";
import type { commands } from "./commands.js";
import { suggestion } from "./suggestion.js";

type Registry = typeof commands;
type OptionsOf<K extends keyof Registry> = z.input<Awaited<ReturnType<Registry[K]["load"]>>["options"]>;

/** What a configuration file holds: for each command, any of its options. */
export type Config = { readonly [K in keyof Registry]?: Partial<OptionsOf<K>> };

/** Gives `plinth.config.ts` its types: `export default defineConfig({ pretrain: { steps: 2000 } })`. */
export const defineConfig = (config: Config): Config => config;

/** A loaded file: its value, and how to name a place in it. */
export interface ConfigFile {
  readonly value: unknown;
  /** `plinth.config.yaml:12: pretrain.learningRate`; without the line in TypeScript files. */
  where(path: readonly PropertyKey[]): string;
}

const names = ["plinth.config.ts", "plinth.config.js", "plinth.config.yaml", "plinth.config.yml", "plinth.config.json"];

/** The configuration file of a folder, if it has one. */
export const findConfig = (cwd: string): string | undefined => names.find((name) => existsSync(join(cwd, name)));

const placed = (file: string, path: readonly PropertyKey[]) => (path.length ? `${file}: ${dotted(path)}` : file);
const dotted = (path: readonly PropertyKey[]) => path.map(String).join(".");

async function readText(path: string, shown: string): Promise<ConfigFile> {
  const { LineCounter, parseDocument, isMap, isNode, isScalar } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(path, "utf8"), { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw fail(
      "config",
      `cannot read ${shown}: ${broken.message}`,
      "mend the file, then try again",
      `${shown}:${line}:${col}`,
    );
  }
  // a key's own line, not that of its value, which may start below it
  const where = (at: readonly PropertyKey[]) => {
    for (let n = at.length; n > 0; n--) {
      const parent: unknown = n > 1 ? document.getIn(at.slice(0, n - 1), true) : document.contents;
      const pair = isMap(parent) ? parent.items.find((p) => isScalar(p.key) && p.key.value === at[n - 1]) : undefined;
      const node = pair?.key ?? document.getIn(at.slice(0, n), true);
      if (isNode(node) && node.range) return `${shown}:${lines.linePos(node.range[0]).line}: ${dotted(at)}`;
    }
    return placed(shown, at);
  };
  return { value: document.toJS() ?? {}, where };
}

async function readModule(path: string, shown: string): Promise<ConfigFile> {
  const { createJiti } = await import("jiti");
  const jiti = createJiti(import.meta.url, { virtualModules: { plinth: { defineConfig } }, fsCache: false });
  try {
    const value = await jiti.import(path, { default: true });
    return { value, where: (at) => placed(shown, at) };
  } catch (error) {
    throw fail(
      "config",
      `cannot run ${shown}: ${(error as Error).message.split("\n")[0]}`,
      "mend the file, then try again",
      shown,
    );
  }
}

/** Read a configuration file. Throws `config` where it is missing, broken or of an unknown kind. */
export async function loadConfig(file: string, cwd: string): Promise<ConfigFile> {
  const path = resolve(cwd, file);
  const shown = relative(cwd, path) || file;
  const kind = extname(path);
  if (!existsSync(path))
    throw fail("config", `there is no configuration file ${shown}`, "check the path after --config");
  if ([".yaml", ".yml", ".json"].includes(kind)) return readText(path, shown);
  if ([".ts", ".mts", ".js", ".mjs"].includes(kind)) return readModule(path, shown);
  throw fail("config", `${shown} is of an unknown kind "${kind}"`, "use .ts, .js, .json, .yaml or .yml");
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The section of one command. Throws `config` where the file holds something else than sections of known commands. */
export function sectionOf(file: ConfigFile, name: string, known: readonly string[]): Record<string, unknown> {
  if (!isRecord(file.value)) {
    throw fail(
      "config",
      "a configuration file holds one section a command",
      `write { ${name}: { ... } }`,
      file.where([]),
    );
  }
  const stray = Object.keys(file.value).find((key) => !known.includes(key));
  if (stray) throw fail("config", `unknown section "${stray}"`, suggestion(stray, known), file.where([stray]));
  const section = file.value[name] ?? {};
  if (!isRecord(section)) throw fail("config", `the section "${name}" is not an object`, undefined, file.where([name]));
  return section;
}

/** Flags over config: objects merge key by key, anything else replaces. */
export function merge(under: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isRecord(before) && isRecord(value) ? merge(before, value) : value;
  }
  return merged;
}
