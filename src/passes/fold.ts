/** Arithmetic done when the graph is built: constants, units, copies, and transposes or factors a matrix product takes for free. */
import {
  compute,
  constant,
  constantData,
  isConstant,
  isFloat,
  type Node,
  nodes,
  rewrite,
  sameShape,
  size,
  splatOf,
  type Tensor,
} from "../ir/index.js";
import {
  broadcast,
  expand,
  type MatmulAttrs,
  matmul,
  mul,
  type ReduceAttrs,
  reshape,
  scatterAdd,
  sumSquare,
  transpose,
} from "../ops/index.js";
import { simplerProduct, transposedProduct } from "./products.js";

/** Above this many elements a computed constant costs more to store than to compute. */
const limit = 4096;

export function fold(roots: readonly Tensor[]): Tensor[] {
  const uses = useCounts(roots);
  return rewrite(roots, (node, original) => {
    const once = (i: number) => uses.get(original.inputs[i]!) === 1;
    const found = computed(node) ?? (node.outputs.length === 1 ? simplified(node, once) : undefined);
    return found && [found].flat();
  });
}

/** How often each tensor is read, a root counting as a reader. */
function useCounts(roots: readonly Tensor[]): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const count = (t: Tensor) => uses.set(t, (uses.get(t) ?? 0) + 1);
  roots.forEach(count);
  for (const node of nodes(roots)) node.inputs.forEach(count);
  return uses;
}

/** The value of a node whose inputs are all constants, when it is small. */
function computed(node: Node): Tensor[] | undefined {
  if (!node.inputs.length || !node.inputs.every(isConstant) || node.op.name === "uniform") return undefined;
  const splats = node.inputs.map(splatOf);
  if (splats[0] !== undefined && moves.has(node.op.name)) return [constant(splats[0], node.types[0]!)];
  if (splats.every((x) => x !== undefined) && elementwise.has(node.op.name)) {
    const scalars = splats.map((x) => ({ shape: [], data: Float64Array.of(x) }));
    const one = node.op.ref!(scalars, node.attrs, [{ ...node.types[0]!, shape: [] }]) as Float64Array;
    return [constant(one[0]!, node.types[0]!)];
  }
  if ([...node.types, ...node.inputs].some((t) => size(t.shape) > limit)) return undefined;
  const xs = node.inputs.map((t) => ({ shape: t.shape, data: values(t) }));
  return compute(node, xs).map(({ data }, i) => constant(data.length === 1 ? data[0]! : data, node.types[i]!));
}
const values = (t: Tensor): Float64Array => {
  const value = constantData(t);
  return typeof value === "number" ? new Float64Array(size(t.shape)).fill(value) : value;
};
const elementwise = new Set(
  "add sub mul div maximum minimum equal less lessEqual and or not neg exp log sqrt tanh sigmoid erf sin cos sign abs relu where cast".split(
    " ",
  ),
);

/** Ops that move the elements of one input: the same everywhere stays the same everywhere. */
const moves = new Set(["reshape", "transpose", "expand", "slice"]);

type Rule = (node: Node, once: (input: number) => boolean) => Tensor | undefined;
const rules: Readonly<Record<string, Rule>> = {
  detach: ({ inputs: [x] }) => x,
  add: addition,
  sub: (n) => (splatOf(n.inputs[1]!) === 0 ? same(n, n.inputs[0]!) : undefined) ?? repeated(n),
  mul: product,
  div: (n) => (splatOf(n.inputs[1]!) === 1 ? same(n, n.inputs[0]!) : undefined) ?? repeated(n),
  neg: ({ inputs: [x] }) => (x!.op.name === "neg" ? x!.inputs[0] : undefined),
  cast: ({ inputs: [x], types: [type] }) => (x!.dtype === type!.dtype ? x : undefined),
  reshape: reshaped,
  transpose: transposed,
  expand: (n) => (sameShape(n.inputs[0]!.shape, n.types[0]!.shape) ? n.inputs[0] : undefined),
  sum: summed,
  slice: (n) => (sameShape(n.inputs[0]!.shape, n.types[0]!.shape) ? n.inputs[0] : undefined),
  matmul: simplerProduct,
};
const simplified: Rule = (node, once) => (rules[node.op.name] ?? repeated)(node, once);

function summed({ inputs: [x], attrs }: Node): Tensor | undefined {
  if (!(attrs as ReduceAttrs).axes.length) return x;
  const square = x!.op === mul && x!.inputs[0] === x!.inputs[1];
  return square ? sumSquare(x!.inputs[0]!, attrs as ReduceAttrs) : undefined;
}

/** `x` when it already has the node's type: what a unit leaves. */
const same = (node: Node, x: Tensor): Tensor | undefined => (sameShape(x.shape, node.types[0]!.shape) ? x : undefined);

function addition(node: Node): Tensor | undefined {
  const [x, y] = node.inputs as [Tensor, Tensor];
  if (splatOf(y) === 0 && same(node, x)) return x;
  if (splatOf(x) === 0 && same(node, y)) return y;
  return scattered(x, y) ?? scattered(y, x) ?? repeated(node);
}
/** Adding what was scattered onto zeros is scattering onto the other term. */
const scattered = (x: Tensor, y: Tensor): Tensor | undefined =>
  x.op === scatterAdd && splatOf(x.inputs[0]!) === 0 && sameShape(x.shape, y.shape)
    ? scatterAdd(y, x.inputs[1]!, x.inputs[2]!)
    : undefined;

function product(node: Node, once: (i: number) => boolean): Tensor | undefined {
  const [x, y] = node.inputs as [Tensor, Tensor];
  for (const [a, k, i] of [
    [x, splatOf(y), 0],
    [y, splatOf(x), 1],
  ] as const) {
    if (k === undefined) continue;
    if (k === 1 && same(node, a)) return a;
    if (!same(node, a) || !isFloat(a.dtype) || !once(i)) continue;
    if (a.op === matmul) {
      const attrs = a.attrs as MatmulAttrs;
      return matmul(a.inputs[0]!, a.inputs[1]!, { ...attrs, scale: (attrs.scale ?? 1) * k });
    }
    if (a.op !== mul) continue;
    const [p, q] = a.inputs as [Tensor, Tensor];
    const factor = splatOf(q) ?? splatOf(p);
    if (factor !== undefined)
      return mul(splatOf(q) === undefined ? q : p, constant(factor * k, { dtype: a.dtype, shape: [] }));
  }
  return repeated(node);
}

function reshaped({ inputs, types }: Node): Tensor | undefined {
  const [x] = inputs as [Tensor];
  const { shape } = types[0]!;
  if (sameShape(x.shape, shape)) return x;
  if (x.op === reshape) return reshape(x.inputs[0]!, { shape });
  if (x.op === expand && size(x.inputs[0]!.shape) === 1) return expand(reshape(x.inputs[0]!, { shape: [] }), { shape });
  const splat = splatOf(x);
  return splat === undefined ? undefined : constant(splat, types[0]!);
}

function transposed({ inputs: [x], attrs }: Node, once: (i: number) => boolean): Tensor | undefined {
  const { order } = attrs as { order: readonly number[] };
  if (order.every((d, i) => d === i)) return x;
  if (x!.op !== transpose) return once(0) ? transposedProduct(x!, order) : undefined;
  const inner = (x!.attrs as { order: readonly number[] }).order;
  const both = order.map((d) => inner[d]!);
  return both.every((d, i) => d === i) ? x!.inputs[0]! : transpose(x!.inputs[0]!, { order: both });
}

/** An elementwise op repeats its inputs by itself: an explicit `expand` before it is dropped. */
function repeated(node: Node): Tensor | undefined {
  if (!elementwise.has(node.op.name) || !node.inputs.some((t) => t.op === expand)) return undefined;
  const inputs = node.inputs.map((t) => (t.op === expand ? t.inputs[0]! : t));
  const shape = inputs
    .map((t) => t.type)
    .reduce((a, b) => ({ dtype: a.dtype, shape: broadcast(node.op.name, a, b) })).shape;
  if (!sameShape(shape, node.types[0]!.shape)) return undefined;
  return (node.op as unknown as (...args: unknown[]) => Tensor)(...inputs, node.attrs);
}
