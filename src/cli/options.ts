/** Flags, configuration file and defaults to the options a command runs with; a mistake is named where it was made. */
import type { z } from "zod";
import { fail, type PlinthError } from "../ir/index.js";
import type { Command } from "./command.js";
import { type ConfigFile, findConfig, loadConfig, merge, sectionOf } from "./config.js";
import type { Parsed } from "./flags.js";
import { describeSchema, expected, flagName, type Node, nodeAt, strayKey } from "./schema.js";
import { suggestion } from "./suggestion.js";

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown> | undefined)?.[key], value);

interface Origin {
  readonly name: string;
  readonly node: Node;
  readonly raw: unknown;
  readonly parsed: Parsed;
  readonly file: ConfigFile | undefined;
}

/** Where a value was written: its flag, its line in the file, or the command that lacks it. */
function place(path: readonly PropertyKey[], { name, parsed, file }: Origin): string {
  const typed = [...parsed.given].some((g) => g === path.slice(0, g.split(".").length).map(String).join("."));
  const inFile = !typed && file && path.length > 0 && valueAt(file.value, [name, ...path.slice(0, 1)]) !== undefined;
  return inFile ? file.where([name, ...path]) : `plinth ${name}`;
}

/** One problem zod found, said as plinth says things. */
function explain(issue: z.core.$ZodIssue, origin: Origin): PlinthError {
  const at = place(issue.path, origin);
  const spelled = at.startsWith("plinth ") ? flagName(issue.path) : issue.path.map(String).join(".");
  const node = nodeAt(origin.node, issue.path);
  const value = valueAt(origin.raw, issue.path);
  if (issue.code === "custom")
    return fail("usage", issue.path.length ? `${spelled}: ${issue.message}` : issue.message, undefined, at);
  if (value === undefined) {
    return fail(
      "usage",
      `${spelled} is missing: ${node?.description ?? expected(node ?? {})}`,
      "see --help for an example",
      at,
    );
  }
  const wanted = node ? `must be ${expected(node)}, not ${JSON.stringify(value)}` : issue.message;
  return fail(at.startsWith("plinth ") ? "usage" : "config", `${spelled} ${wanted}`, undefined, at);
}

/** The options of one invocation. Throws `config` or `usage` for the first thing that is wrong. */
export async function resolveOptions(
  { name, known, cwd, note }: { name: string; known: readonly string[]; cwd: string; note: (text: string) => void },
  command: Command,
  parsed: Parsed,
): Promise<unknown> {
  const path = parsed.config ?? findConfig(cwd);
  const file = path === undefined ? undefined : await loadConfig(path, cwd);
  const section = file ? sectionOf(file, name, known) : {};
  if (path !== undefined && parsed.config === undefined && Object.keys(section).length) note(`options from ${path}`);
  const raw = merge(section, parsed.options);
  const origin = { name, node: describeSchema(command.options), raw, parsed, file };
  // a misspelt key is looked for first: it is why another seems missing
  const stray = strayKey(origin.node, raw);
  if (stray) {
    const key = String(stray.path.at(-1));
    throw fail("config", `unknown option "${key}"`, suggestion(key, stray.known), place(stray.path, origin));
  }
  const result = command.options.safeParse(raw);
  if (result.success) return result.data;
  throw explain(result.error.issues[0]!, origin);
}
