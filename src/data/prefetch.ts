/** Makes the next batches while the engine is at work on this one, and measures what waiting remains. */
import type { Batch, Batches } from "./batch.js";

export interface Prefetched extends Batches {
  /** Milliseconds that callers waited for a batch, and that passed since the first was asked for. */
  waiting(): { waited: number; elapsed: number; share: number };
}

/** The same batches, made up to `depth` ahead in the gaps of the event loop. Any index may be asked for at any time. */
export function prefetch(batches: Batches, depth = 2): Prefetched {
  const ready = new Map<number, Promise<Batch>>();
  let first: number | undefined;
  let waited = 0;
  const make = (index: number) => {
    const made = ready.get(index) ?? Promise.resolve().then(() => batches.at(index));
    // whoever asks for the batch gets the error; a batch nobody asks for must not end the process
    made.catch(() => undefined);
    ready.set(index, made);
    return made;
  };
  const ahead = (index: number, left: number) => {
    if (left === 0) return;
    setImmediate(() => {
      const settled = () => ahead(index + 1, left - 1);
      make(index).then(settled, settled);
    });
  };
  return {
    perEpoch: batches.perEpoch,
    async at(index) {
      const start = performance.now();
      first ??= start;
      const batch = await make(index);
      waited += performance.now() - start;
      for (const other of ready.keys()) if (other <= index || other > index + depth) ready.delete(other);
      ahead(index + 1, depth);
      return batch;
    },
    waiting() {
      const elapsed = first === undefined ? 0 : performance.now() - first;
      return { waited, elapsed, share: elapsed ? waited / elapsed : 0 };
    },
  };
}
