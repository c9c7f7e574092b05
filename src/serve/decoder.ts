/** The programs by which a model writes: one reads the prompts, one goes on by a token, one puts rows in another order. */
import { fail, i32, input, type Program, param, Scope, type Tensor } from "../ir/index.js";
import { type Family, type ModelSizes, memoryOf } from "../models/index.js";
import { stateCache, zeros } from "../nn/index.js";

export interface Loan {
  readonly name: string;
  giveBack(): void;
}

/** Rows, and the columns that are kept of each. */
export interface Room {
  /** What the cache's names begin with. */
  readonly cache: string;
  readonly batch: number;
  readonly capacity: number;
  /** Tokens of the longest source that an encoder reads; 0 without one. */
  readonly source: number;
}

/**
 * What is fed has a row for each text. Columns are shared: shorter texts begin later. Both programs give `scores`, f32 [B V], of what
 * follows each row's last token, and leave keys and values in the state.
 */
export interface Decoder {
  readonly contextLength: number;
  readonly vocabSize: number;
  /** Whether it writes from a source, which an encoder reads. */
  readonly readsSource: boolean;
  /** Fed `ids`, `positions` and `segments` (0 where there is no token), i32 [B T]; and `source`, `sourceSegments`, i32 [B S]. */
  prefill(room: Room, length: number): Program;
  /** Fed `ids` and `positions` i32 [B 1]; `kept` i32 [B visible], the columns' positions, -1 without a token; `at` i32 [], the column to write. */
  step(room: Room, visible: number): Program;
  /** A name for a cache that no other text uses until it is given back. */
  lend(): Loan;
  /** Fed `rows` i32 [B]: each row takes what row `rows[i]` kept. */
  reorder(room: Room): Program;
}

/**
 * The decoder of a model. `rewrite` may change the graph, as an adapter does. Throws `config` for a family that fills in masked
 * words and cannot write on.
 */
export function decoderOf<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  rewrite: (roots: readonly Tensor[]) => readonly Tensor[] = (roots) => roots,
): Decoder {
  if (family.objective === "masked")
    throw fail(
      "config",
      `a ${family.name} model fills in masked words and cannot write on`,
      "generate with one that writes, such as gpt, llama or t5",
    );
  const readsSource = family.encode !== undefined;
  const programs = new Map<string, Program>();
  const lent = new Set<number>();
  const once = (key: string, build: () => Program): Program => {
    const found = programs.get(key) ?? build();
    programs.set(key, found);
    return found;
  };
  const build = (room: Room, length: number, visible: number) =>
    programOf(family, config, { room, length, visible, rewrite });
  return {
    contextLength: config.contextLength,
    vocabSize: config.vocabSize,
    readsSource,
    prefill: (room, length) => once(`prefill ${keyOf(room)} ${length}`, () => build(room, length, 0)),
    step: (room, visible) => once(`step ${keyOf(room)} ${visible}`, () => build(room, 1, visible)),
    lend() {
      let i = 0;
      while (lent.has(i)) i++;
      lent.add(i);
      return { name: `cache.${i}`, giveBack: () => lent.delete(i) };
    },
    reorder: (room) =>
      once(`reorder ${keyOf(room)}`, () => {
        const { next } = build(room, 1, room.capacity);
        const rows = input("rows", i32([room.batch]));
        const moved = Object.entries(next).map(
          ([name, t]) => [name, param(name, t.shape, zeros).gather(rows)] as const,
        );
        return { outputs: {}, next: Object.fromEntries(moved) };
      }),
  };
}

const keyOf = ({ cache, batch, capacity, source }: Room) => [cache, batch, capacity, source].join(" ");

interface Sizes {
  readonly room: Room;
  readonly length: number;
  readonly visible: number;
  readonly rewrite: (roots: readonly Tensor[]) => readonly Tensor[];
}

function programOf<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { room, length, visible, rewrite }: Sizes,
): Program {
  const { cache: name, batch, capacity, source } = room;
  const rows = (name: string, n: number) => input(name, i32([batch, n]));
  const [ids, positions] = [rows("ids", length), rows("positions", length)];
  const kept = visible ? { positions: rows("kept", visible), queries: positions, at: input("at", i32([])) } : undefined;
  const next: Record<string, Tensor> = {};
  const p = new Scope();
  const read = { ids: rows("source", source), segments: rows("sourceSegments", source) };
  const memory = source ? memoryOf(family, config, { p, ...read }) : undefined;
  const cache = stateCache({ name, capacity, kept, next });
  const segments = kept ? undefined : rows("segments", length);
  const x = { ids, positions, segments, memory: memory && { ...memory, segments: read.segments }, cache };
  const hidden = family.body(p, x, config);
  const last = hidden.slice(1, length - 1, length).reshape([batch, hidden.shape[2]!]);
  const names = Object.keys(next);
  const [scores, ...values] = rewrite([family.logits(p, last, config), ...Object.values(next)]);
  return { outputs: { scores: scores! }, next: Object.fromEntries(names.map((name, i) => [name, values[i]!])) };
}
