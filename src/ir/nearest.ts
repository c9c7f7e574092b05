/** The name someone probably meant: what a message about an unknown one suggests. */
import { distance } from "fastest-levenshtein";

/** The name most like `wanted`, if one is near: at most a third of its letters differ; case, `-`, `_` and `.` do not count. */
export function nearest(wanted: string, names: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replace(/[-_.]/g, "");
  const scored = names.map((name) => [distance(plain(wanted), plain(name)), name] as const);
  const [best] = scored.sort(([a], [b]) => a - b);
  return best && best[0] <= Math.max(1, Math.ceil(wanted.length / 3)) ? best[1] : undefined;
}
