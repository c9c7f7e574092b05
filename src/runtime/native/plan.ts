/** A plan: the instructions in their order, every value's place, and the whole as the words that the engine reads. */
import { fail, type Program, show, type Type } from "../../ir/index.js";
import { type Arena, arena } from "./arena.js";
import { type CompileOptions, compile } from "./compile.js";
import type { Buffer, Instruction, Word } from "./memory.js";
import { schedule } from "./schedule.js";
import { settle } from "./settle.js";

export interface Plan {
  readonly instructions: readonly Instruction[];
  /** How many of them come before the first that writes the state. */
  readonly commit: number;
  readonly arena: Arena;
  readonly inputs: readonly Buffer[];
  readonly outputs: readonly { readonly name: string; readonly type: Type }[];
}

/** How the engine numbers things. Each throws `engine` for a name it does not know. */
export interface Numbering {
  kernel(name: string): number;
  op(name: string): number;
  state(name: string): number;
}

export interface PlanOptions extends CompileOptions {
  /** Most bytes of the arena: values are computed again until what is kept fits. */
  readonly memory?: number;
}

/** What a byte of memory is worth, in floating-point operations: from a sum to a deep network. */
const prices = [0, 4, 16, 64, 256, 1024, 4096, 16384, 65536];

/** Throws `engine` for what no kernel does, `memory` where no plan fits. */
export function planOf(program: Program, op: Numbering["op"], options: PlanOptions = { fused: true }): Plan {
  const { memory = Number.POSITIVE_INFINITY } = options;
  let least = Number.POSITIVE_INFINITY;
  for (const price of options.price === undefined ? prices : [options.price]) {
    const plan = planAt(program, op, { ...options, price });
    if (plan.arena.bytes <= memory) return plan;
    least = Math.min(least, plan.arena.bytes);
  }
  throw fail(
    "memory",
    `the program's values take ${megabytes(least)} at the least, and ${megabytes(memory)} are allowed`,
    "use smaller batches or a shorter context, or allow more",
  );
}
const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;

function planAt(program: Program, op: Numbering["op"], options: CompileOptions): Plan {
  const settled = settle(compile(program, op, options));
  const { instructions, commit } = schedule(settled.instructions, settled.graph);
  const outputs = Object.entries(program.outputs).map(([name, { type }]) => ({ name, type }));
  return { instructions, commit, arena: arena(instructions), inputs: inputsOf(instructions), outputs };
}

/** Inputs that are left after folding: a program may not need all it names. */
const inputsOf = (instructions: readonly Instruction[]): Buffer[] => [
  ...new Set(instructions.flatMap(({ reads }) => reads.filter(({ kind }) => kind === "input"))),
];

const magic = 0x504c0001;
const kinds = { arena: 0, state: 1, input: 2, output: 3, constant: 4 } as const;
const wide = (n: number): number[] => [n % 2 ** 32, Math.floor(n / 2 ** 32)];

/** The plan as the engine reads it; constants are apart. */
export function encode(plan: Plan, numbering: Numbering): { words: Uint32Array; constants: Uint8Array } {
  const slots = new Map<Buffer, number>();
  for (const { reads, writes } of plan.instructions)
    for (const buffer of [...reads, ...writes]) if (!slots.has(buffer)) slots.set(buffer, slots.size);
  const constants = new Blob();
  const numbers = {
    arena: (b: Buffer) => plan.arena.offsets.get(b)!,
    state: (b: Buffer) => numbering.state(b.name),
    input: (b: Buffer) => plan.inputs.indexOf(b),
    output: (b: Buffer) => plan.outputs.findIndex(({ name }) => name === b.name),
    constant: (b: Buffer) => constants.add(b.data!),
  };
  const described = [...slots.keys()].flatMap((b) => [kinds[b.kind], ...wide(b.bytes), ...wide(numbers[b.kind](b))]);
  const guards = plan.outputs.flatMap(({ type }, i) => (type.dtype === "f32" && type.shape.length === 0 ? [i] : []));
  const plain = (w: Word) => (typeof w === "number" ? [w] : [slots.get(w.buffer)!, w.offset]);
  const body = plan.instructions.flatMap(({ kernel, words }) => {
    const own = words.flatMap(plain);
    return [numbering.kernel(kernel), own.length, ...own];
  });
  const head = [magic, ...wide(plan.arena.bytes), slots.size, ...described, guards.length, ...guards];
  return {
    words: Uint32Array.from([...head, plan.commit, plan.instructions.length, ...body]),
    constants: constants.bytes(),
  };
}

/** Bytes one after another, each part aligned for every element type and vector. */
class Blob {
  private readonly parts: { readonly at: number; readonly data: Uint8Array }[] = [];
  private end = 0;
  add(data: Uint8Array): number {
    const at = this.end;
    this.parts.push({ at, data });
    this.end = Math.ceil((at + data.length) / 64) * 64;
    return at;
  }
  bytes(): Uint8Array {
    const all = new Uint8Array(this.end);
    for (const { at, data } of this.parts) all.set(data, at);
    return all;
  }
}

/** The plan as text: `12 matmul  h.0.mlp.weight [1024,384] …  -> arena 4096, 1.5 MB`. */
export function printPlan(plan: Plan): string {
  const place = (b: Buffer) => (b.kind === "arena" ? `@${plan.arena.offsets.get(b)}` : `${b.kind} ${b.name}`);
  const lines = plan.instructions.map(({ kernel, reads, writes, of }, i) => {
    const values = of.map((t) => `${t.op.name} ${show(t.type)}`).join(", ");
    return `${i === plan.commit ? "-- the state is written from here on\n" : ""}${i} ${kernel}: ${values} <- ${reads.map(place).join(", ")} -> ${writes.map(place).join(", ")}`;
  });
  return [`arena of ${plan.arena.bytes} bytes`, ...lines].join("\n");
}
