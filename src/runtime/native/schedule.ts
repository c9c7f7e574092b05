/**
 * The order of a plan's instructions: each when what it reads is there, early where that frees memory. What the outputs need comes
 * first, since a guarded run asks them whether to write the state; from then on each parameter is updated once nothing reads it any
 * more, while its gradient and what that is made of are in the cache.
 */
import { fail } from "../../ir/index.js";
import type { Buffer, Instruction } from "./memory.js";
import type { Graph } from "./settle.js";

export interface Schedule {
  readonly instructions: readonly Instruction[];
  /** How many of them come before the first that writes the state. */
  readonly commit: number;
}

export function schedule(instructions: readonly Instruction[], graph: Graph): Schedule {
  const waits = new Map(instructions.map((i) => [i, new Set(graph.before(i))]));
  const followers = new Map<Instruction, Instruction[]>();
  for (const [i, before] of waits) for (const b of before) followers.set(b, [...(followers.get(b) ?? []), i]);
  const asked = graph.needed(instructions.filter(mayEndTheRun));
  const order = new Order(waits, followers, new Pressure(instructions));
  const first = order.take(instructions.filter((i) => asked.has(i)));
  const all = [...first, ...order.take(instructions.filter((i) => !asked.has(i)))];
  if (all.length < instructions.length || first.some(writesState))
    throw fail("internal", "a plan's instructions wait for one another");
  const commit = all.findIndex(writesState);
  return { instructions: all, commit: commit < 0 ? all.length : commit };
}
const writesState = (i: Instruction): boolean => i.writes.some((buffer) => buffer.kind === "state");
/** What refuses the run, or gives a number that may. */
const mayEndTheRun = (i: Instruction): boolean =>
  i.kernel === "checkIndices" || i.writes.some((buffer) => buffer.kind === "output");

/** Takes instructions when they are ready, best first. */
class Order {
  private readonly left: Map<Instruction, number>;
  constructor(
    waits: ReadonlyMap<Instruction, ReadonlySet<Instruction>>,
    private readonly followers: ReadonlyMap<Instruction, readonly Instruction[]>,
    private readonly pressure: Pressure,
  ) {
    this.left = new Map([...waits].map(([i, before]) => [i, before.size]));
  }

  take(among: readonly Instruction[]): Instruction[] {
    const members = new Set(among);
    // units are made from the last to the first
    const ready = among.filter((i) => this.left.get(i) === 0).reverse();
    const order: Instruction[] = [];
    while (ready.length) {
      let best = 0;
      let most = Number.NEGATIVE_INFINITY;
      ready.forEach((i, at) => {
        const freed = this.pressure.freedBy(i);
        if (freed > most) [best, most] = [at, freed];
      });
      const [next] = ready.splice(best, 1) as [Instruction];
      order.push(next);
      this.pressure.ran(next);
      for (const i of this.followers.get(next) ?? []) {
        const left = this.left.get(i)! - 1;
        this.left.set(i, left);
        if (left === 0 && members.has(i)) ready.push(i);
      }
    }
    return order;
  }
}

/** How much memory an instruction frees, less what it takes. */
class Pressure {
  private readonly readers = new Map<Buffer, number>();
  private readonly written = new Set<Buffer>();

  constructor(instructions: readonly Instruction[]) {
    for (const { reads } of instructions)
      for (const buffer of reads) this.readers.set(buffer, (this.readers.get(buffer) ?? 0) + 1);
  }

  freedBy({ kernel, reads, writes }: Instruction): number {
    // what may refuse the run does so before anything is computed
    if (kernel === "checkIndices") return Number.POSITIVE_INFINITY;
    let bytes = 0;
    for (const b of reads) if (b.kind === "arena" && this.readers.get(b) === 1 && !writes.includes(b)) bytes += b.bytes;
    for (const b of writes) if (b.kind === "arena" && !this.written.has(b)) bytes -= b.bytes;
    return bytes;
  }

  ran({ reads, writes }: Instruction): void {
    for (const buffer of reads) this.readers.set(buffer, this.readers.get(buffer)! - 1);
    for (const buffer of writes) this.written.add(buffer);
  }
}
