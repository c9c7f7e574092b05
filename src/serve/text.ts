/** Tokens as text, given out as soon as it is certain. */

/** A text that grows by tokens. */
export interface Writer {
  /** What a token adds: whole characters, of which it is certain that they begin no stop string. */
  push(id: number): Promise<string>;
  /** What was still held back. */
  end(): Promise<string>;
  /** A stop string came: nothing is added any more. */
  readonly stopped: boolean;
}

export interface WriterOptions {
  /** Text of ids. */
  decode(ids: readonly number[]): string | Promise<string>;
  /** Ids in front of the first, on whose text that of the first may depend. */
  readonly before?: readonly number[] | undefined;
  /** The text ends in front of the first of these. */
  readonly stops?: readonly string[] | undefined;
}

/** How many of the ids in front are looked at: a character has four bytes. */
const reach = 4;

export function writer({ decode, before = [], stops = [] }: WriterOptions): Writer {
  // decoding starts a little before what is new: a token's text may depend on the one before it
  let ids = before.slice(-reach);
  let given = ids.length;
  let held = "";
  let stopped = false;
  const fresh = async () => {
    const [all, old] = [await decode(ids), given ? await decode(ids.slice(0, given)) : ""];
    return all.slice(old.length);
  };
  const release = (more: string, last: boolean): string => {
    held += more;
    const found = stops.map((stop) => held.indexOf(stop)).filter((at) => at >= 0);
    stopped = found.length > 0;
    const sure = stopped ? Math.min(...found) : last ? held.length : held.length - undecided(held, stops);
    const piece = held.slice(0, sure);
    held = held.slice(sure);
    return piece;
  };
  return {
    get stopped() {
      return stopped;
    },
    async push(id) {
      if (stopped) return "";
      ids.push(id);
      const piece = await fresh();
      if (!piece || piece.endsWith("\ufffd")) return "";
      ids = ids.slice(Math.max(0, given - reach));
      given = ids.length;
      return release(piece, false);
    },
    async end() {
      if (stopped) return "";
      return release(given < ids.length ? await fresh() : "", true);
    },
  };
}

/** How much of the end of a text may be the beginning of a stop string. */
function undecided(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--)
    if (stops.some((stop) => stop.startsWith(text.slice(-length)))) return length;
  return 0;
}
