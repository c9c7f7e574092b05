/** Beam search: the likeliest texts are followed side by side (as transformers 5 carries it out). */
import { fail } from "../ir/index.js";
import type { Session } from "../runtime/index.js";
import type { Decoder } from "./decoder.js";
import { type Beginning, checkBeginning, type EndOptions } from "./ends.js";
import { checkPenalties, type PenaltyOptions, penalised } from "./penalties.js";
import { openRows } from "./rows.js";
import { highestOf, logSum, nothingFollows } from "./sample.js";

export interface BeamOptions extends PenaltyOptions, EndOptions {
  /** How many texts are followed. */
  readonly beams: number;
  /** A text's score is the sum of its log probabilities over its number of tokens to this power: above 0 favours long ones. Default 1. */
  readonly lengthPenalty?: number | undefined;
  /**
   * When to stop: true, as soon as there are as many finished texts as beams; false, when the best that is followed is worse than the
   * worst finished at its present length; "never", when at no length it could be better. Default false.
   */
  readonly earlyStopping?: boolean | "never" | undefined;
}

/** A finished text. */
export interface Beam {
  readonly ids: readonly number[];
  /** Sum of log probabilities over length to the power of the penalty. */
  readonly score: number;
  /** A token or text that ends it came; otherwise it has as many tokens as it may. */
  readonly stopped: boolean;
}

/** A text that is followed, or one token more than one. */
interface Path {
  readonly ids: readonly number[];
  readonly sum: number;
  /** The beam that it comes from. */
  readonly parent: number;
  /** Where the constraint is after it. */
  readonly state: number;
}

/**
 * The finished texts, best first, as many as there are beams. A token that ended one is not among its ids but counts in its length.
 * Throws `config` for options out of range.
 */
export async function beamSearch(
  session: Session,
  decoder: Decoder,
  { prompt, source, fresh = false, ...o }: BeamOptions & Beginning,
): Promise<Beam[]> {
  check(o);
  checkBeginning({ prompt, source }, decoder);
  const state = o.constraint?.begin({ fresh, tokens: o.tokens }) ?? 0;
  const copies = <T>(x: T) => Array.from({ length: o.beams }, () => x);
  const sources = decoder.readsSource ? copies(source!) : undefined;
  const rows = await openRows(session, decoder, { prompts: copies(prompt), sources, tokens: o.tokens });
  try {
    let running: Path[] = [{ ids: [], sum: 0, parent: 0, state }];
    let finished: Beam[] = [];
    for (let length = 1; ; length++) {
      const grown = best(running, rows.scores, { prompt, ...o });
      const step = await sorted(grown, length, o);
      // only what is among the first counts as finished: the rest is there so that enough can go on
      const now = step.slice(0, o.beams).flatMap(({ done }) => done ?? []);
      if (!(o.earlyStopping === true && finished.length === o.beams))
        finished = [...finished, ...now].sort((a, b) => b.score - a.score).slice(0, o.beams);
      running = step.flatMap(({ path, done }) => (done ? [] : [path])).slice(0, o.beams);
      if (!running.length || o.signal?.aborted || settled(finished, running, length, o)) break;
      // fewer paths than beams: the rest repeat the first and are not looked at
      const parents = Array.from({ length: o.beams }, (_, row) => (running[row] ?? running[0]!).parent);
      await rows.reorder(parents);
      await rows.push(Array.from({ length: o.beams }, (_, row) => (running[row] ?? running[0]!).ids.at(-1)!));
    }
    return finished.length ? finished : running.map((path) => ended(path, path.ids.length, o, false));
  } finally {
    await rows.close();
  }
}

function check(o: BeamOptions): void {
  checkPenalties(o);
  const { beams, lengthPenalty = 1 } = o;
  if (!(Number.isInteger(beams) && beams >= 1)) throw fail("config", `beams is ${beams}`, "a whole number from 1");
  if (!Number.isFinite(lengthPenalty))
    throw fail("config", `lengthPenalty is ${lengthPenalty}`, "above 0 favours long texts, below 0 short ones");
}

/** The most probable texts one token longer, best first: enough of them that as many as there are beams can go on. */
function best(
  running: readonly Path[],
  scores: readonly Float32Array[],
  { prompt, beams, tokens, constraint, ...o }: BeamOptions & Beginning,
): Path[] {
  const stop = o.stop ?? [];
  const wanted = Math.max(2, 1 + stop.length) * beams;
  const found: { id: number; row: number; sum: number }[] = [];
  running.forEach(({ ids, sum, state }, row) => {
    // penalties change logarithms of probabilities here, scores elsewhere: so transformers does
    const shift = logSum(scores[row]!);
    const own = scores[row]!.map((x) => x - shift);
    const all = penalised(own, { prompt, written: ids }, { ...o, stop });
    constraint?.restrict(all, { state, left: tokens - ids.length, stop });
    for (const id of highestOf(all, wanted)) found.push({ id, row, sum: sum + all[id]! });
  });
  if (!found.length) throw nothingFollows();
  found.sort((a, b) => b.sum - a.sum || a.row - b.row || a.id - b.id);
  return found.slice(0, wanted).map(({ id, row, sum }) => {
    const from = running[row]!;
    const state = constraint && !stop.includes(id) ? constraint.after(from.state, id) : from.state;
    return { ids: [...from.ids, id], sum, parent: row, state };
  });
}

/** Each path with what it is if it ends here. */
async function sorted(paths: readonly Path[], length: number, o: BeamOptions) {
  const all: { path: Path; done?: Beam }[] = [];
  for (const path of paths) {
    const stops = o.stop?.includes(path.ids.at(-1)!) ?? false;
    const complete = !stops && (o.constraint?.complete(path.state) ?? false);
    const stopped = stops || complete || ((await o.ends?.(path.ids, 0)) ?? false);
    if (stopped || length === o.tokens)
      all.push({ path, done: ended(stops ? { ...path, ids: path.ids.slice(0, -1) } : path, length, o, stopped) });
    else all.push({ path });
  }
  return all;
}

const ended = ({ ids, sum }: Path, length: number, { lengthPenalty = 1 }: BeamOptions, stopped: boolean): Beam => ({
  ids,
  score: sum / length ** lengthPenalty,
  stopped,
});

/** Whether no text that is followed can become better than those that are finished. */
function settled(finished: readonly Beam[], running: readonly Path[], length: number, o: BeamOptions): boolean {
  const { beams, tokens, lengthPenalty = 1, earlyStopping = false } = o;
  if (finished.length < beams) return false;
  if (earlyStopping === true) return true;
  const at = earlyStopping === "never" && lengthPenalty > 0 ? tokens : length;
  return running[0]!.sum / at ** lengthPenalty <= finished.at(-1)!.score;
}
