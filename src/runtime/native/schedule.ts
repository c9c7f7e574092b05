/** The order of a plan's instructions: each when what it reads is there, early where that frees memory, and the state's at the end. */
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
  const last = committing(instructions, followers);
  const order = new Order(waits, followers, new Pressure(instructions, graph, last));
  const first = order.take(instructions.filter((i) => !last.has(i)));
  return { instructions: [...first, ...order.take([...last])], commit: first.length };
}

/** Instructions that write the state, and all that wait for one. */
function committing(
  instructions: readonly Instruction[],
  followers: ReadonlyMap<Instruction, readonly Instruction[]>,
): Set<Instruction> {
  const stack = instructions.filter((i) => i.writes.some((buffer) => buffer.kind === "state"));
  const found = new Set<Instruction>();
  while (stack.length) {
    const i = stack.pop()!;
    if (found.has(i)) continue;
    found.add(i);
    stack.push(...(followers.get(i) ?? []));
  }
  return found;
}

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
  /** Values that only the end reads: they take their memory sooner or later. */
  private readonly lasting = new Set<Buffer>();

  constructor(instructions: readonly Instruction[], graph: Graph, last: ReadonlySet<Instruction>) {
    for (const i of instructions) {
      for (const buffer of i.reads) this.readers.set(buffer, (this.readers.get(buffer) ?? 0) + 1);
      for (const buffer of i.writes) if (graph.readersOf(buffer).every((r) => last.has(r))) this.lasting.add(buffer);
    }
  }

  freedBy({ kernel, reads, writes }: Instruction): number {
    // what may refuse the run does so before anything is computed
    if (kernel === "checkIndices") return Number.POSITIVE_INFINITY;
    let bytes = 0;
    for (const b of reads) if (b.kind === "arena" && this.readers.get(b) === 1 && !writes.includes(b)) bytes += b.bytes;
    for (const b of writes) if (b.kind === "arena" && !this.written.has(b) && !this.lasting.has(b)) bytes -= b.bytes;
    return bytes;
  }

  ran({ reads, writes }: Instruction): void {
    for (const buffer of reads) this.readers.set(buffer, this.readers.get(buffer)! - 1);
    for (const buffer of writes) this.written.add(buffer);
  }
}
