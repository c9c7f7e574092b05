/** LoRA: a frozen matrix plus a learnt difference of low rank. */
import { fail, type Init, isParam, type Node, nameOf, nodes, param, size, type Tensor } from "../ir/index.js";
import type { Layout } from "../nn/index.js";
import { type Adaptation, freeze } from "./adapt.js";
import { type Pattern, select } from "./select.js";

export interface LoraOptions {
  readonly rank: number;
  /** The difference is multiplied by `alpha / rank`; `2 * rank` by default. */
  readonly alpha?: number;
  /** The matrices that get a difference, and how each is stored: see `matrices` and `targets`. */
  readonly targets: ReadonlyMap<string, Layout>;
  /** What learns as it is, such as a new head; by default nothing. */
  readonly learns?: (name: string) => boolean;
}

/**
 * LoRA (Hu et al. 2022). Next to a matrix `w` stand `w.lora_a`, from the input to `rank` numbers, uniform within 1 / √input, and
 * `w.lora_b`, from these to the output, zero: the start is the base. Both are stored as `w` is, so `w` plus their product is one expression.
 * Throws `attribute` for a rank that is no whole number, or as large as a side of a matrix.
 */
export function lora({ rank, alpha = 2 * rank, targets, learns = () => false }: LoraOptions): Adaptation {
  if (!Number.isInteger(rank) || rank < 1)
    throw fail("attribute", `LoRA's rank is ${rank}`, "give a whole number from 1");
  if (!(alpha > 0 && Number.isFinite(alpha)))
    throw fail("attribute", `LoRA's alpha is ${alpha}`, "give a number above 0");
  return (w) => {
    const name = nameOf(w);
    const layout = targets.get(name);
    if (!layout) return learns(name) ? w : freeze(w);
    const [rows, columns] = w.dims("rows columns");
    if (rank >= Math.min(rows, columns))
      throw fail(
        "attribute",
        `LoRA of rank ${rank} on a matrix [${rows},${columns}]`,
        "the rank must be below both sides",
        name,
      );
    const [inputSize, outputSize] = layout === "in-out" ? [rows, columns] : [columns, rows];
    const down = (shape: readonly [number, number]) => param(`${name}.lora_a`, shape, within(1 / Math.sqrt(inputSize)));
    const up = (shape: readonly [number, number]) => param(`${name}.lora_b`, shape, within(0));
    const product =
      layout === "in-out"
        ? down([inputSize, rank]).matmul(up([rank, outputSize]))
        : up([outputSize, rank]).matmul(down([rank, inputSize]));
    return freeze(w).add(product.mul(alpha / rank));
  };
}

/** Uniform in [-limit, limit). */
const within =
  (limit: number): Init =>
  (shape, random) =>
    new Float32Array(size(shape)).map(() => limit * (2 * random() - 1));

/**
 * The matrices that `roots` multiply by, and how each is stored: `in-out` where it is read as it is, `out-in` where it is read transposed.
 * Embedding tables, whose rows are gathered, are left out even where they are tied to an output.
 */
export function matrices(roots: readonly Tensor[]): Map<string, Layout> {
  const found = new Map<string, Layout>();
  const tables = new Set<string>();
  for (const node of nodes(roots)) {
    const table = node.op.name === "gather" ? parameter(node.inputs[0]!) : undefined;
    if (table) tables.add(nameOf(table.w));
    const matrix = node.op.name === "matmul" ? multiplied(node) : undefined;
    if (matrix) found.set(...matrix);
  }
  return new Map([...found].filter(([name]) => !tables.has(name)));
}

/** Those of `matrices` that the patterns select, all without patterns, less `except`. Throws `target` when that leaves none. */
export function targets(
  roots: readonly Tensor[],
  {
    patterns,
    except = () => false,
  }: { patterns?: readonly Pattern[] | undefined; except?: (name: string) => boolean } = {},
): Map<string, Layout> {
  const all = new Map([...matrices(roots)].filter(([name]) => !except(name)));
  const chosen = select([...all.keys()], patterns ?? ["**"], "matrix");
  return new Map([...all].filter(([name]) => chosen.has(name)));
}

function multiplied({ inputs, attrs }: Node): [string, Layout] | undefined {
  const found = parameter(inputs[1]!);
  if (found?.w.shape.length !== 2) return undefined;
  const flip = (attrs as { transposeRight?: boolean }).transposeRight ?? false;
  return [nameOf(found.w), found.turned === flip ? "in-out" : "out-in"];
}

/** The parameter that `t` is, transposed or frozen or both. */
function parameter(t: Tensor): { w: Tensor; turned: boolean } | undefined {
  if (isParam(t)) return { w: t, turned: false };
  if (t.op.name === "detach") return parameter(t.inputs[0]!);
  if (t.op.name !== "transpose") return undefined;
  const inner = parameter(t.inputs[0]!);
  return inner && { w: inner.w, turned: !inner.turned };
}
