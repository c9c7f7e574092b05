/** Where in the arena each value lies: two values share bytes where they are never needed at once. */
import type { Buffer, Instruction } from "./memory.js";

export interface Arena {
  readonly bytes: number;
  readonly offsets: ReadonlyMap<Buffer, number>;
}

/** From the instruction that writes it first to the one that reads it last. */
export interface Lifetime {
  bytes: number;
  from: number;
  to: number;
}

const align = (n: number): number => Math.ceil(n / 64) * 64;

export function arena(instructions: readonly Instruction[]): Arena {
  const lifetimes = lifetimesOf(instructions);
  const blocks = [...new Set(lifetimes.values())].sort((a, b) => b.bytes - a.bytes || a.from - b.from);
  const placed: (Lifetime & { at: number })[] = [];
  const places = new Map<Lifetime, number>();
  let total = 0;
  for (const block of blocks) {
    const at = lowest(block, placed);
    placed.push({ ...block, at });
    placed.sort((a, b) => a.at - b.at);
    places.set(block, at);
    total = Math.max(total, at + align(block.bytes));
  }
  return { bytes: total, offsets: new Map([...lifetimes].map(([buffer, life]) => [buffer, places.get(life)!])) };
}

/** The lowest place that no block alive at the same time has; `placed` is in the order of places. */
function lowest(block: Lifetime, placed: readonly (Lifetime & { readonly at: number })[]): number {
  let at = 0;
  for (const other of placed) {
    if (other.to < block.from || block.to < other.from) continue;
    if (other.at >= at + align(block.bytes)) break;
    at = Math.max(at, other.at + align(other.bytes));
  }
  return at;
}

/** Values that take over another's memory have one lifetime together. */
export function lifetimesOf(instructions: readonly Instruction[]): Map<Buffer, Lifetime> {
  const lifetimes = new Map<Buffer, Lifetime>();
  const writers = new Map<Buffer, number>();
  const own = (buffers: readonly Buffer[]) => buffers.filter(({ kind }) => kind === "arena");
  instructions.forEach(({ reads, writes }, i) => {
    for (const buffer of own([...reads, ...writes])) {
      const life = lifetimes.get(buffer) ?? { bytes: buffer.bytes, from: i, to: i };
      life.to = i;
      lifetimes.set(buffer, life);
    }
    for (const buffer of own(writes)) writers.set(buffer, (writers.get(buffer) ?? 0) + 1);
  });
  instructions.forEach(({ inPlace }, i) => {
    for (const [from, to] of inPlace) {
      const [a, b] = [lifetimes.get(from), lifetimes.get(to)];
      if (!a || !b || a === b || a.bytes !== b.bytes || a.to !== i || b.from !== i || writers.get(to) !== 1) continue;
      a.to = b.to;
      lifetimes.set(to, a);
    }
  });
  return lifetimes;
}
