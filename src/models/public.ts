/** Reading public config.json files: what is refused, and how it is said. */
import { z } from "zod";
import { fail } from "../ir/index.js";
import type { PublicConfig } from "./family.js";

/** Throws `config` when a key asks for something else than the values this family has. */
export function refuse(json: PublicConfig, key: string, known: readonly unknown[]): void {
  const value = json[key] ?? undefined;
  if (!known.includes(value))
    throw fail(
      "config",
      `config.json: ${key} ${JSON.stringify(value)} is not supported`,
      `supported: ${known
        .filter((x) => x !== undefined)
        .map((x) => JSON.stringify(x))
        .join(", ")}`,
    );
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
