/** Reading public config.json files: what is refused, and how it is said. */
import { z } from "zod";
import { fail } from "../ir/index.js";
import type { PublicConfig } from "./family.js";

/** Throws `config` when a key asks for something else than the values this family has. */
export function refuse(json: PublicConfig, key: string, known: readonly unknown[]): void {
  const value = json[key] ?? undefined;
  const said = known.filter((x) => x !== undefined).map((x) => JSON.stringify(x));
  if (!known.includes(value)) throw unsupported(key, value, said.join(", "));
}

/** The error for a key whose value this family does not have; `known` says which it has. */
export const unsupported = (key: string, value: unknown, known: string): Error =>
  fail("config", `config.json: ${key} ${JSON.stringify(value)} is not supported`, `supported: ${known}`);

/** An object in the file, empty where it is absent. Throws `config` where something else stands there. */
export function recordIn(json: PublicConfig, key: string): PublicConfig {
  const value = json[key] ?? {};
  if (typeof value === "object" && !Array.isArray(value)) return value as PublicConfig;
  throw unsupported(key, value, "an object");
}

/** `{ [name]: value }`, or nothing when the file leaves the key out or null. */
export const optional = (name: string, value: unknown): Readonly<Record<string, unknown>> =>
  value === undefined || value === null ? {} : { [name]: value };

/** The config a public file describes. Throws `config` and names what is missing or wrong. */
export function parsePublic<C>(schema: z.ZodType<C>, values: Readonly<Record<string, unknown>>): C {
  const parsed = schema.safeParse(values);
  if (!parsed.success)
    throw fail("config", `config.json does not describe this model: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** What no public layout can say stands under this key of config.json, beside what a task keeps there. */
export const variant = "plinth";

/** The options named, as the file has them under `plinth`. */
export function ownOptions(json: PublicConfig, names: readonly string[]): Readonly<Record<string, unknown>> {
  const all = recordIn(json, variant);
  return Object.fromEntries(names.filter((name) => name in all).map((name) => [name, all[name]]));
}

/** A name with every run of whole parts in `pairs` put in place of the other: `a.b` in `x.a.b.c`, in order. */
export const renameParts = (name: string, pairs: readonly (readonly [from: string, to: string])[]): string =>
  pairs.reduce((all, [from, to]) => all.replace(`.${from}.`, `.${to}.`), `.${name}.`).slice(1, -1);
