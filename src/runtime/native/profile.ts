/** A profile of a plan: measured times put to its instructions, and who holds the arena when it is fullest. */
import type { Node } from "../../ir/index.js";
import { nodeFlops } from "../../passes/index.js";
import type { HeldValue, InstructionProfile, MemoryProfile } from "../profile.js";
import { type Lifetime, lifetimesOf } from "./arena.js";
import type { Buffer, Instruction } from "./memory.js";
import type { Plan } from "./plan.js";

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** The plan's instructions with their times; `runs`: nanoseconds in the plan's order, of each run. */
export const instructionsOf = (plan: Plan, runs: readonly (readonly number[])[]): InstructionProfile[] =>
  plan.instructions.map((instruction, i) => {
    const { kernel, of, nodes, reads, writes } = instruction;
    const made = nodes.length ? nodes : of.map((t) => t.node);
    const { at } = costliest(made) ?? {};
    return {
      kernel,
      ops: [...new Set(nodes.map(({ op }) => op.name))],
      ...(at !== undefined && { at }),
      nanoseconds: median(runs.map((times) => times[i]!)),
      flops: nodes.reduce((sum, node) => sum + nodeFlops(node), 0),
      bytesRead: total(reads),
      bytesWritten: total(writes),
    };
  });
const total = (buffers: readonly Buffer[]): number => buffers.reduce((sum, { bytes }) => sum + bytes, 0);

function costliest(nodes: readonly Node[]): Node | undefined {
  const traced = nodes.filter(({ at }) => at !== undefined);
  return traced.reduce<Node | undefined>((a, b) => (a && nodeFlops(a) >= nodeFlops(b) ? a : b), undefined);
}

/** The arena when most bytes of it are in use. */
export function memoryOf({ instructions, arena }: Plan): Omit<MemoryProfile, "stateBytes"> {
  const blocks = new Map<Lifetime, Buffer[]>();
  for (const [buffer, life] of lifetimesOf(instructions)) blocks.set(life, [...(blocks.get(life) ?? []), buffer]);
  const alive = instructions.map(() => 0);
  for (const { bytes, from, to } of blocks.keys()) for (let i = from; i <= to; i++) alive[i]! += bytes;
  const peakBytes = Math.max(0, ...alive);
  const peakAt = alive.indexOf(peakBytes);
  const first = firstWrites(instructions);
  const held = [...blocks].flatMap(([{ from, to }, buffers]) => {
    if (peakAt < from || to < peakAt) return [];
    // of values that follow one another in one place, the one that is there at that time
    const there = buffers.filter((b) => first.get(b)! <= peakAt);
    return there.reduce((a, b) => (first.get(a)! >= first.get(b)! ? a : b));
  });
  return {
    arenaBytes: arena.bytes,
    peakBytes,
    peakAt,
    held: held.map(valueOf).sort((a, b) => b.bytes - a.bytes),
  };
}

function firstWrites(instructions: readonly Instruction[]): Map<Buffer, number> {
  const first = new Map<Buffer, number>();
  instructions.forEach(({ writes }, i) => {
    for (const buffer of writes) if (!first.has(buffer)) first.set(buffer, i);
  });
  return first;
}

function valueOf({ name, bytes, of }: Buffer): HeldValue {
  const at = of?.node.at;
  return { op: of?.op.name ?? name, shape: of?.shape ?? [], bytes, ...(at !== undefined && { at }) };
}
