/** The code of a group: instructions over registers, which are numbered when all are known. */
import { word } from "./memory.js";

interface Line {
  readonly op: string;
  readonly to: number;
  readonly from: readonly number[];
}

/** What each register is called in the plan, and how many temporary ones there are. */
export interface Numbers {
  of(register: number): number;
  readonly temporaries: number;
}

export class Registers {
  private readonly lines: Line[] = [];
  private readonly kinds: ("input" | "constant" | "temporary")[] = [];
  private readonly constants = new Map<number, number>();
  private readonly known = new Map<string, number>();

  input = (): number => this.kinds.push("input") - 1;

  /** A register that holds these bits everywhere. */
  constant(bits: number): number {
    const found = this.constants.get(bits);
    if (found !== undefined) return found;
    const register = this.kinds.push("constant") - 1;
    this.constants.set(bits, register);
    return register;
  }

  /** The register of a result; the same operation on the same registers is done once. */
  emit(op: string, from: readonly number[]): number {
    const key = `${op} ${from}`;
    const found = this.known.get(key);
    if (found !== undefined) return found;
    const to = this.kinds.push("temporary") - 1;
    this.lines.push({ op, to, from });
    this.known.set(key, to);
    return to;
  }

  /** Inputs first, then constants, then temporaries, which are used again when nobody reads them any more; `kept` are read at the end. */
  numbered(kept: readonly number[]): Numbers {
    const lines = this.fused(kept);
    const numbers = new Map<number, number>();
    for (const kind of ["input", "constant"] as const)
      this.kinds.forEach((k, register) => {
        if (k === kind) numbers.set(register, numbers.size);
      });
    const first = numbers.size;
    const last = new Map<number, number>();
    lines.forEach((line, i) => {
      for (const r of line.from) last.set(r, i);
    });
    for (const r of kept) last.set(r, lines.length);
    const free: number[] = [];
    let count = 0;
    lines.forEach(({ to, from }, i) => {
      numbers.set(to, free.pop() ?? first + count++);
      for (const r of new Set(from)) if (last.get(r) === i && this.kinds[r] === "temporary") free.push(numbers.get(r)!);
    });
    return { of: (register) => numbers.get(register)!, temporaries: count };
  }

  words(kept: readonly number[], op: (name: string) => number): number[] {
    const numbers = this.numbered(kept);
    const lines = this.fused(kept);
    return [
      this.constants.size,
      ...[...this.constants.keys()].map((bits) => word(bits >>> 0)),
      numbers.temporaries,
      lines.length,
      ...lines.flatMap(({ op: name, to, from }) => {
        const [a = 0, b = 0, c = 0] = from.map(numbers.of);
        return [op(name), numbers.of(to), a, b, c];
      }),
    ];
  }

  /** A product that only one sum reads is part of that sum. */
  private fused(kept: readonly number[]): Line[] {
    const uses = new Map<number, number>();
    for (const { from } of this.lines) for (const r of from) uses.set(r, (uses.get(r) ?? 0) + 1);
    for (const r of kept) uses.set(r, (uses.get(r) ?? 0) + 1);
    const products = new Map(this.lines.filter((l) => l.op === "mul" && uses.get(l.to) === 1).map((l) => [l.to, l]));
    const taken = new Set<number>();
    const lines = this.lines.map((line): Line => {
      if (line.op !== "add") return line;
      const [x, y] = line.from as [number, number];
      const product = products.get(x) ?? products.get(y);
      if (!product || x === y) return line;
      taken.add(product.to);
      return { op: "muladd", to: line.to, from: [...product.from, product.to === x ? y : x] };
    });
    return lines.filter(({ to }) => !taken.has(to));
  }
}
