/** What becomes of examples that are longer than the model's context: never silently cut. */
import { fail } from "../ir/index.js";

export const overflows = ["error", "drop", "truncate", "split"] as const;
/** error: stop and name them. drop: leave them out. truncate: keep the beginning. split: make several of one. */
export type Overflow = (typeof overflows)[number];

export interface OverflowReport {
  /** Examples that were too long. */
  readonly examples: number;
  /** Tokens that are not learnt from because of it. */
  readonly lostTokens: number;
  /** Ids of the first three. */
  readonly ids: readonly string[];
}

export interface OverflowCount {
  /** The ids to keep of one example: none, one, or several pieces of at most `room`. Texts of one id, one after the other, are one example. */
  take(id: string, ids: Int32Array): Int32Array[];
  /** What happened. Throws "overflow" under "error" when any example was too long. */
  finish(): OverflowReport;
}

/** Applies one policy to many examples, `room` tokens each; `ways` are those that may be chosen in place of an error. */
export function overflow(
  policy: Overflow,
  room: number,
  ways: readonly Exclude<Overflow, "error">[] = ["truncate", "split", "drop"],
): OverflowCount {
  const seen = { examples: 0, lostTokens: 0, longest: 0, ids: [] as string[], last: "" };
  return {
    take(id, ids) {
      if (ids.length <= room) return [ids];
      seen.longest = Math.max(seen.longest, ids.length);
      if (id !== seen.last) seen.examples++;
      if (id !== seen.last && seen.ids.length < 3) seen.ids.push(id);
      seen.last = id;
      if (policy === "split")
        return Array.from({ length: Math.ceil(ids.length / room) }, (_, i) => ids.subarray(i * room, (i + 1) * room));
      seen.lostTokens += policy === "truncate" ? ids.length - room : ids.length;
      return policy === "truncate" ? [ids.subarray(0, room)] : [];
    },
    finish() {
      const { longest, last: _, ...report } = seen;
      if (policy === "error" && report.examples > 0)
        throw fail(
          "overflow",
          `${report.examples} ${report.examples === 1 ? "example is" : "examples are"} longer than ${room} tokens (the longest has ${longest}): ${report.ids.join(", ")}`,
          `set overflow to ${ways
            .map((way) => `"${way}"`)
            .join(", ")
            .replace(/, (?=[^,]*$)/, " or ")}, or use a longer contextLength`,
        );
      return report;
    },
  };
}
