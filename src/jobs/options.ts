/** Options as programs give them: checked like the command line's, with one clear error. */
import type { z } from "zod";
import { fail, nearest } from "../ir/index.js";

/** Options with their defaults. Throws `config`, naming the option, for a value that does not fit and for a name that is unknown. */
export function optionsOf<S extends z.ZodObject>(schema: S, given: z.input<S>): z.output<S> {
  const known = Object.keys(schema.shape);
  const stray = Object.keys(given).find((name) => !known.includes(name));
  if (stray !== undefined) {
    const near = nearest(stray, known);
    throw fail(
      "config",
      `there is no option "${stray}"`,
      near ? `did you mean ${near}?` : `one of ${known.join(", ")}`,
    );
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw fail("config", `${path.join(".")}: ${message}`, "see docs/reference/configuration.md", path.join("."));
}
