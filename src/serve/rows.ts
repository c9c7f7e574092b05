/** Texts that are written side by side: what each has so far, and which columns of the cache hold it. */
import { nd } from "../ir/index.js";
import type { Session } from "../runtime/index.js";
import type { Decoder, Loan, Room } from "./decoder.js";

export interface Rows {
  /** Scores of what follows each row's last token: f32 [V] each. */
  readonly scores: readonly Float32Array[];
  /** Add a token to each row; undefined for a row that has ended, which takes no part any more. */
  push(ids: readonly (number | undefined)[]): Promise<void>;
  /** Each row goes on from what row `parents[i]` has. */
  reorder(parents: readonly number[]): Promise<void>;
  /** Frees the cache. */
  close(): Promise<void>;
}

export interface RowsOptions {
  /** Tokens each text begins with; at least one. */
  readonly prompts: readonly (readonly number[])[];
  /** Encoder–decoders: the text that each reads. */
  readonly sources?: readonly (readonly number[])[] | undefined;
  /** The most tokens that will be pushed: the cache is made for them. */
  readonly tokens: number;
}

const shortest = 16;
/** A length of which there are few: programs are compiled for each. At most a quarter more, or 15, is for nothing. */
export function bucketOf(length: number): number {
  if (length <= shortest) return shortest;
  const step = Math.max(shortest, 2 ** (Math.floor(Math.log2(length - 1)) - 2));
  return Math.ceil(length / step) * step;
}

/**
 * Read the prompts. A text that outgrows the context forgets its older half and goes on. What a row is given does not depend on
 * the other rows.
 */
export async function openRows(session: Session, decoder: Decoder, o: RowsOptions): Promise<Rows> {
  const loan = decoder.lend();
  const writing = new Writing(session, decoder, loan, o);
  try {
    await writing.prefill();
  } catch (error) {
    await writing.close();
    throw error;
  }
  return writing;
}

class Writing implements Rows {
  scores: readonly Float32Array[] = [];
  private readonly seen: number[][];
  /** Positions of the cache's columns: rows of `capacity`. */
  private kept = new Int32Array(0);
  private room: Room;
  /** The column that is written next. */
  private column = 0;
  private left: number;
  private readonly names = new Set<string>();
  /** What an encoder reads, and where it is read. */
  private readonly read: ReturnType<typeof padded> | undefined;

  constructor(
    private readonly session: Session,
    private readonly decoder: Decoder,
    private readonly loan: Loan,
    { prompts, sources = [], tokens }: RowsOptions,
  ) {
    this.seen = prompts.map((ids) => ids.slice(-decoder.contextLength));
    this.left = tokens;
    const longest = Math.max(0, ...sources.map((ids) => ids.length));
    const source = longest && Math.min(bucketOf(longest), decoder.contextLength);
    this.room = { cache: loan.name, batch: prompts.length, capacity: 0, source };
    this.read = source ? padded(sources, source) : undefined;
  }
  async prefill(): Promise<void> {
    const { contextLength } = this.decoder;
    const { batch } = this.room;
    const length = Math.min(bucketOf(Math.max(...this.seen.map((ids) => ids.length))), contextLength);
    const capacity = length + bucketOf(Math.min(this.left + 1, contextLength));
    this.room = { ...this.room, capacity };
    this.kept = new Int32Array(batch * capacity).fill(-1);
    const [ids, positions, segments] = [0, 1, 2].map(() => new Int32Array(batch * length)) as Int32Array[];
    this.seen.forEach((tokens, row) => {
      const first = length - tokens.length;
      tokens.forEach((id, i) => {
        const at = row * length + first + i;
        [ids![at], positions![at], segments![at]] = [id, i, 1];
        this.kept[row * capacity + first + i] = i;
      });
    });
    this.column = length;
    const feed = (data: Int32Array) => nd("i32", [batch, length], data);
    await this.run(this.decoder.prefill(this.room, length), {
      ids: feed(ids!),
      positions: feed(positions!),
      segments: feed(segments!),
      ...this.read,
    });
  }

  async push(given: readonly (number | undefined)[]): Promise<void> {
    const { contextLength } = this.decoder;
    this.left--;
    given.forEach((id, row) => {
      if (id !== undefined) this.seen[row]!.push(id);
    });
    const full = this.seen.map((ids) => ids.length > contextLength);
    if (full.includes(true) || this.column === this.room.capacity) {
      for (const [row, over] of full.entries()) if (over) this.seen[row]!.splice(0, Math.ceil(contextLength / 2));
      return this.prefill();
    }
    await this.step(given);
  }

  private async step(given: readonly (number | undefined)[]): Promise<void> {
    const { batch, capacity } = this.room;
    // looking at a column for nothing costs less than another program
    const visible = Math.min(2 ** Math.ceil(Math.log2(Math.max(this.column, 64))), capacity);
    const kept = new Int32Array(batch * visible);
    for (let row = 0; row < batch; row++)
      kept.set(this.kept.subarray(row * capacity, row * capacity + visible), row * visible);
    const positions = this.seen.map((ids) => ids.length - 1);
    const ids = this.seen.map((tokens) => tokens.at(-1)!);
    const feeds = {
      ids: nd("i32", [batch, 1], ids),
      positions: nd("i32", [batch, 1], positions),
      kept: nd("i32", [batch, visible], kept),
      at: nd("i32", [], this.column),
    };
    // what was read is kept: only where there is something is asked again
    const read = this.read && { sourceSegments: this.read.sourceSegments };
    await this.run(this.decoder.step(this.room, visible), { ...feeds, ...read });
    given.forEach((id, row) => {
      if (id !== undefined) this.kept[row * capacity + this.column] = positions[row]!;
    });
    this.column++;
  }

  private async run(program: ReturnType<Decoder["step"]>, feeds: Parameters<Session["run"]>[1]): Promise<void> {
    for (const name of Object.keys(program.next)) this.names.add(name);
    const out = await this.session.run(program, feeds);
    const all = out["scores"]?.data as Float32Array | undefined;
    const V = this.decoder.vocabSize;
    if (all) this.scores = this.seen.map((_, row) => all.subarray(row * V, (row + 1) * V));
  }

  async reorder(parents: readonly number[]): Promise<void> {
    if (parents.every((parent, row) => parent === row)) return;
    const { batch, capacity } = this.room;
    const [seen, kept] = [this.seen.map((ids) => [...ids]), this.kept.slice()];
    parents.forEach((parent, row) => {
      this.seen[row] = [...seen[parent]!];
      this.kept.set(kept.subarray(parent * capacity, (parent + 1) * capacity), row * capacity);
    });
    await this.session.run(this.decoder.reorder(this.room), { rows: nd("i32", [batch], parents) });
  }

  async close(): Promise<void> {
    // nothing is left of a value that has no element; a session that was closed meanwhile has freed it
    for (const name of this.names) await this.session.write(name, nd("f32", [0], [])).catch(() => undefined);
    this.names.clear();
    this.loan.giveBack();
  }
}

/** Sources as rows of `length`, padded on the right. */
function padded(sources: readonly (readonly number[])[], length: number) {
  const shape = [sources.length, length];
  const [source, sourceSegments] = [nd("i32", shape, 0), nd("i32", shape, 0)];
  sources.forEach((tokens, row) => {
    (source.data as Int32Array).set(tokens, row * length);
    sourceSegments.data.fill(1, row * length, row * length + tokens.length);
  });
  return { source, sourceSegments };
}
