/** What a message about an unknown name says to do. */
import { nearest } from "../ir/index.js";

/** `did you mean x?` when something is near, else the whole list; each name after `prefix`. */
export function suggestion(word: string, names: readonly string[], prefix = ""): string {
  const near = nearest(word, names);
  if (near !== undefined) return `did you mean ${prefix}${near}?`;
  return names.length ? `known: ${names.map((name) => prefix + name).join(", ")}` : "nothing is known here";
}
