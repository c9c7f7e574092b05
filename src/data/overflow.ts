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
  /** The ids to keep of one example: none, one, or several pieces of at most `room`. */
  take(id: string, ids: Int32Array): Int32Array[];
  /** What happened. Throws "overflow" under "error" when any example was too long. */
  finish(): OverflowReport;
}

/** Applies one policy to many examples, `room` tokens each. */
export function overflow(policy: Overflow, room: number): OverflowCount {
  const seen = { examples: 0, lostTokens: 0, longest: 0, ids: [] as string[] };
  return {
    take(id, ids) {
      if (ids.length <= room) return [ids];
      seen.examples++;
      seen.longest = Math.max(seen.longest, ids.length);
      if (seen.ids.length < 3) seen.ids.push(id);
      if (policy === "split")
        return Array.from({ length: Math.ceil(ids.length / room) }, (_, i) => ids.subarray(i * room, (i + 1) * room));
      seen.lostTokens += policy === "truncate" ? ids.length - room : ids.length;
      return policy === "truncate" ? [ids.subarray(0, room)] : [];
    },
    finish() {
      const { longest, ...report } = seen;
      if (policy === "error" && report.examples > 0)
        throw fail(
          "overflow",
          `${report.examples} ${report.examples === 1 ? "example is" : "examples are"} longer than ${room} tokens (the longest has ${longest}): ${report.ids.join(", ")}`,
          'set overflow to "truncate", "split" or "drop", or use a longer contextLength',
        );
      return report;
    },
  };
}
