/** What a program asks for is computed right where it belongs, wherever nobody needs what was there before. */
import type { Compiled, Target } from "./compile.js";
import { type Buffer, type Instruction, isContiguous, type Word } from "./memory.js";

/** Which instructions wait for which, and in what memory each value really lies. */
export class Graph {
  private readonly writers = new Map<Buffer, Instruction[]>();
  private readonly readers = new Map<Buffer, Instruction[]>();
  /** Beside what an instruction reads: whoever must be done before it writes over something. */
  private readonly after = new Map<Instruction, Instruction[]>();

  constructor(instructions: readonly Instruction[]) {
    const note = (map: Map<Buffer, Instruction[]>, buffer: Buffer, i: Instruction) =>
      map.set(buffer, [...(map.get(buffer) ?? []), i]);
    for (const i of instructions) {
      for (const buffer of i.reads) note(this.readers, buffer, i);
      for (const buffer of i.writes) note(this.writers, buffer, i);
    }
  }

  readersOf = (buffer: Buffer): readonly Instruction[] => this.readers.get(buffer) ?? [];
  writersOf = (buffer: Buffer): readonly Instruction[] => this.writers.get(buffer) ?? [];

  wait(instruction: Instruction, others: readonly Instruction[]): void {
    this.after.set(instruction, [...(this.after.get(instruction) ?? []), ...others.filter((o) => o !== instruction)]);
  }

  /** What must have run before an instruction. A value of the state is read before it is written. */
  *before(instruction: Instruction): Iterable<Instruction> {
    for (const buffer of instruction.reads) if (buffer.kind !== "state") yield* this.writersOf(buffer);
    yield* this.after.get(instruction) ?? [];
  }

  /** Instructions, and all that they wait for. */
  needed(from: Iterable<Instruction>): Set<Instruction> {
    const found = new Set<Instruction>();
    const stack = [...from];
    while (stack.length) {
      const i = stack.pop()!;
      if (found.has(i)) continue;
      found.add(i);
      stack.push(...this.before(i));
    }
    return found;
  }
}

/** The instructions with as many of the targets' copies left out as can be, and who waits for whom. */
export function settle({ instructions, targets }: Compiled): { instructions: Instruction[]; graph: Graph } {
  const graph = new Graph([...instructions, ...targets.map(({ copy }) => copy)]);
  const renamed = new Map<Buffer, Buffer>();
  const copies: Instruction[] = [];
  const asked = graph.needed([
    ...instructions.filter(({ kernel }) => kernel === "checkIndices"),
    ...targets.flatMap(({ to, copy }) => (to.kind === "output" ? [copy] : [])),
  ]);
  for (const target of targets) {
    const { from, to, copy } = target;
    const others = graph.readersOf(to).filter((i) => !graph.writersOf(from.buffer).includes(i));
    if (movable(target, renamed) && (to.kind === "output" || replaceable(target, graph, { others, asked }))) {
      renamed.set(from.buffer, to);
      if (to.kind === "state") for (const writer of graph.writersOf(from.buffer)) graph.wait(writer, others);
    } else {
      copies.push(copy);
      if (to.kind === "state") graph.wait(copy, graph.readersOf(to));
    }
  }
  const all = [...instructions, ...copies];
  const waits = new Map(all.map((i) => [i, [...graph.before(i)]]));
  const done = new Map(all.map((i) => [i, moved(i, renamed)]));
  const final = new Graph([...done.values()]);
  for (const [i, before] of waits)
    final.wait(
      done.get(i)!,
      before.flatMap((b) => done.get(b) ?? []),
    );
  return { instructions: [...done.values()], graph: final };
}

const movable = ({ from, to }: Target, renamed: ReadonlyMap<Buffer, Buffer>): boolean =>
  from.buffer.kind === "arena" &&
  from.buffer.bytes === to.bytes &&
  from.offset === 0 &&
  isContiguous(from) &&
  !renamed.has(from.buffer);

/** Whether the next value of the state may be written over the old one at once: not what an output, or a check, is made of. */
function replaceable(
  { from, to, copy }: Target,
  graph: Graph,
  { others, asked }: { readonly others: readonly Instruction[]; readonly asked: ReadonlySet<Instruction> },
): boolean {
  const writers = graph.writersOf(from.buffer);
  const [writer] = writers;
  if (!writer || writers.length > 1 || asked.has(writer)) return false;
  if (graph.readersOf(from.buffer).some((i) => i !== copy)) return false;
  const reads = writer.reads.includes(to);
  const inPlace = writer.inPlace.some(([a, b]) => a === to && b === from.buffer);
  return (!reads || inPlace) && !graph.needed(others).has(writer);
}

function moved(i: Instruction, renamed: ReadonlyMap<Buffer, Buffer>): Instruction {
  const of = (buffer: Buffer) => renamed.get(buffer) ?? buffer;
  if (![...i.reads, ...i.writes].some((buffer) => renamed.has(buffer))) return i;
  const word = (w: Word): Word => (typeof w === "number" ? w : { buffer: of(w.buffer), offset: w.offset });
  return {
    ...i,
    words: i.words.map(word),
    reads: i.reads.map(of),
    writes: i.writes.map(of),
    inPlace: i.inPlace.map(([from, to]) => [of(from), of(to)] as const),
  };
}
