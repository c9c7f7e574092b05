/** Where values lie: which are views of others, and in what order of axes those are stored that others see turned. */
import { type Node, type Shape, size, type Tensor } from "../../ir/index.js";
import { rowMajor } from "./memory.js";
import { broadcastStrides, reshaped } from "./strides.js";

/** A value as a view of a stored one. */
export interface Layout {
  readonly base: Tensor;
  readonly offset: number;
  readonly strides: readonly number[];
  /** Values that must be there before it is read. */
  readonly after?: readonly Tensor[];
}

/** Ops that only move elements: views, wherever strides can say it. */
export const movements: ReadonlySet<string> = new Set("reshape transpose expand slice split detach after".split(" "));
export const isMovement = (node: Node): boolean => movements.has(node.op.name);
/** The value that is moved, behind all movements. */
export const behind = (t: Tensor): Tensor => (isMovement(t.node) ? behind(t.inputs[0]!) : t);

export class Layouts {
  /** How a stored value's elements lie, where that is not row-major. */
  private readonly own = new Map<Tensor, readonly number[]>();
  /** Stored values that are part of another's memory. */
  private readonly inside = new Map<Tensor, { readonly base: Tensor; readonly offset: number }>();
  private known = new Map<Tensor, Layout>();
  /** Who reads a value, behind movements. */
  private readonly readers = new Map<Tensor, Set<Node>>();
  /** Parts of a concatenation that must be copied into it. */
  readonly copies: { readonly part: Tensor; readonly into: Layout; readonly whole: Tensor }[] = [];

  /** `free`: which stored values may lie in any order of their axes, and which of those in the midst of others. */
  constructor(
    order: readonly Node[],
    private readonly free: {
      turned(t: Tensor): boolean;
      placed(t: Tensor): boolean;
      /** Values [N C H W] with the channels of a place side by side: of the kernels that ask for it, and what is computed from them. */
      channelsLast(t: Tensor, from: (x: Tensor) => boolean): boolean;
    },
  ) {
    for (const node of order)
      if (!isMovement(node))
        for (const x of node.inputs.map(behind)) this.readers.set(x, (this.readers.get(x) ?? new Set()).add(node));
    const last = new Set<Tensor>();
    for (const t of order.flatMap((node) => node.outputs)) {
      if (free.channelsLast(t, (x) => last.has(x))) {
        this.own.set(t, channelsLast(t.shape));
        last.add(t);
      }
      this.of(t);
    }
    // again, with what was turned: what could not be a view before may be one now
    this.known = new Map();
    for (const node of [...order].reverse()) if (node.op.name === "concat") this.placeParts(node);
    this.known = new Map();
  }

  /** The stored value that `t` is a view of, and how; a value that no strides can say is stored itself. */
  of(t: Tensor): Layout {
    const found = this.known.get(t);
    if (found) return found;
    const layout = (isMovement(t.node) && this.moved(t)) || this.stored(t);
    this.known.set(t, layout);
    return layout;
  }

  /** Whether the elements of a movement had to be copied. */
  isCopy = (t: Tensor): boolean => isMovement(t.node) && this.of(t).base === t;

  private stored(t: Tensor): Layout {
    const strides = this.own.get(t) ?? rowMajor(t.shape);
    const { base, offset } = this.inside.get(t) ?? { base: t, offset: 0 };
    return { base, offset, strides };
  }

  private moved(t: Tensor): Layout | undefined {
    const [x] = t.inputs as [Tensor];
    const from = this.of(x);
    const { attrs } = t.node;
    const op = t.op.name;
    if (op === "transpose") return { ...from, strides: (attrs as { order: Shape }).order.map((d) => from.strides[d]!) };
    if (op === "expand")
      return { ...from, strides: broadcastStrides({ shape: x.shape, strides: from.strides }, t.shape) };
    if (op === "slice") {
      const { axis, start } = attrs as { axis: number; start: number };
      return { ...from, offset: from.offset + start * from.strides[axis]! };
    }
    if (op === "split") {
      const { axis, sizes } = attrs as { axis: number; sizes: readonly number[] };
      const start = sizes.slice(0, t.index).reduce((a, b) => a + b, 0);
      return { ...from, offset: from.offset + start * from.strides[axis]! };
    }
    if (op === "detach") return from;
    if (op === "after") return { ...from, after: [...(from.after ?? []), t.inputs[1]!] };
    const strides = reshaped({ shape: x.shape, strides: from.strides }, t.shape);
    return strides ? { ...from, strides } : this.turned(t, x, from);
  }

  /** Store the value behind `x` in the order in which `x` is row-major, if that is still open. */
  private turned(t: Tensor, x: Tensor, from: Layout): Layout | undefined {
    const { base } = from;
    if (from.offset || from.after || this.own.has(base) || !this.free.turned(base)) return undefined;
    const strides = matched(base, { shape: x.shape, strides: from.strides }, rowMajor(x.shape));
    if (!strides) return undefined;
    this.own.set(base, strides);
    this.known.delete(base);
    return { base, offset: 0, strides: rowMajor(t.shape) };
  }

  /**
   * Let the parts of a concatenation be written where it has them. What others read as well stays apart: they would wait for all
   * parts, of which one may wait for them.
   */
  private placeParts(node: Node): void {
    const whole = node.outputs[0]!;
    const { axis } = node.attrs as { axis: number };
    const home = this.of(whole);
    let start = 0;
    for (const part of node.inputs) {
      const into = { ...home, offset: home.offset + start * home.strides[axis]! };
      start += part.shape[axis]!;
      const { base, offset, strides, after } = this.of(part);
      const open =
        offset === 0 &&
        !after &&
        base !== whole &&
        this.free.placed(base) &&
        !this.own.has(base) &&
        !this.inside.has(base) &&
        (this.readers.get(base)?.size ?? 0) === 1;
      const there = open ? matched(base, { shape: part.shape, strides }, into.strides) : undefined;
      if (there) {
        this.own.set(base, there);
        this.inside.set(base, { base: into.base, offset: into.offset });
        this.known = new Map();
      } else this.copies.push({ part, into, whole });
    }
  }
}

function channelsLast(shape: Shape): number[] {
  const [, C, H, W] = shape as [number, number, number, number];
  return [C * H * W, 1, W * C, C];
}

/** Strides of `base` with which a view of all of it, in whatever order of axes, has the strides `wanted`. */
function matched(
  base: Tensor,
  view: { readonly shape: Shape; readonly strides: readonly number[] },
  wanted: readonly number[],
): number[] | undefined {
  if (size(view.shape) !== size(base.shape)) return undefined;
  const left = view.shape.map((n, d) => ({ n, from: view.strides[d]!, to: wanted[d]! })).filter(({ n }) => n !== 1);
  const own = rowMajor(base.shape);
  const strides = base.shape.map((n, d) => {
    if (n === 1) return 0;
    const at = left.findIndex((axis) => axis.n === n && axis.from === own[d]);
    return at < 0 ? undefined : left.splice(at, 1)[0]!.to;
  });
  return left.length || strides.includes(undefined) ? undefined : (strides as number[]);
}
