/** An instruction under construction: words, and what it reads and writes. */
import { type Dtype, dtypes, type Node, type Tensor } from "../../ir/index.js";
import { type Buffer, floatWord, type Instruction, type View, type Word, waitedFor, word } from "./memory.js";

export class Draft {
  private readonly words: Word[] = [];
  private readonly reads: Buffer[] = [];
  private readonly writes: Buffer[] = [];
  private readonly inPlace: (readonly [Buffer, Buffer])[] = [];

  constructor(
    private readonly kernel: string,
    private readonly of: readonly Tensor[],
    private readonly nodes: readonly Node[] = of.flatMap(({ node, index }) => (index === 0 ? [node] : [])),
  ) {}

  numbers(...values: readonly (number | boolean)[]): this {
    this.words.push(...values.map((n) => word(Number(n))));
    return this;
  }
  float(x: number): this {
    this.words.push(floatWord(x));
    return this;
  }
  type = (dtype: Dtype): this => this.numbers(dtypes.indexOf(dtype));

  /** An operand that is read, after its steps along `axes` (none for one that lies in a row). */
  read(view: View, steps: readonly number[] = []): this {
    this.numbers(...steps).words.push(view);
    this.reads.push(...waitedFor(view));
    return this;
  }
  write(view: View, steps: readonly number[] = []): this {
    this.numbers(...steps).words.push(view);
    this.writes.push(view.buffer);
    return this;
  }
  /** The result may take the operand's memory. */
  over(from: View, to: View): this {
    if (from.offset === to.offset) this.inPlace.push([from.buffer, to.buffer]);
    return this;
  }
  /** Another instruction's words, as a part of this one. */
  with(words: readonly Word[], { reads, writes, inPlace }: Pick<Instruction, "reads" | "writes" | "inPlace">): this {
    this.words.push(...words);
    this.reads.push(...reads);
    this.writes.push(...writes);
    this.inPlace.push(...inPlace);
    return this;
  }

  done = (): Instruction => ({
    kernel: this.kernel,
    words: this.words,
    reads: [...new Set(this.reads)],
    writes: [...new Set(this.writes)],
    inPlace: this.inPlace,
    of: this.of,
    nodes: this.nodes,
  });
}
