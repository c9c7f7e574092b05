/** Matrix products: which axes are rows, and what ends them. */
import { type Node, type Shape, size } from "../../ir/index.js";
import type { MatmulAttrs } from "../../ops/index.js";
import { Draft } from "./draft.js";
import type { Desk } from "./forms.js";
import type { MapCode } from "./map.js";
import type { Instruction, View } from "./memory.js";
import { broadcastStrides, collapsed, reshaped } from "./strides.js";

/** The batches and sizes of a product, and how its three operands step through them. */
interface Product {
  readonly batch: Shape;
  readonly sizes: readonly [m: number, n: number, k: number];
  /** Steps of each operand: the batch axes, then rows and columns. */
  readonly steps: readonly [left: number[], right: number[], result: number[]];
}

/** `x @ w`, and an elementwise group that steps through the result, done while that is in the cache. */
export function matmul(
  node: Node,
  desk: Desk,
  epilogue?: { code: MapCode; op: (name: string) => number },
): Instruction {
  const { scale = 1 } = node.attrs as MatmulAttrs;
  const [x, w] = node.inputs.map((t) => desk.view(t)) as [View, View];
  const y = desk.result(node.outputs[0]!);
  const { batch, sizes, steps } = productOf(node, [x, w, y]);
  const draft = new Draft("matmul", node.outputs, [node, ...(epilogue?.code.nodes ?? [])])
    .numbers(batch.length, ...batch, ...sizes)
    .read(x, steps[0])
    .read(w, steps[1])
    .write(y, steps[2].slice(0, -1))
    .float(scale)
    .numbers(false, epilogue !== undefined);
  if (epilogue) {
    const { code, op } = epilogue;
    const over = spaceOf(node, [x, w, y]);
    const { reads, writes, inPlace } = code;
    // the product was written by this instruction, over whatever was there: it is no operand, and its place is nobody else's
    const others = reads.filter((buffer) => buffer !== y.buffer);
    const free = inPlace.filter((pair) => !pair.includes(y.buffer));
    draft.with(code.wordsOver(op, over)!, { reads: others, writes, inPlace: free });
  }
  return draft.done();
}

/** The space of a product's result as its kernel steps through it: batches, rows, columns. */
export function spaceOf(node: Node, views: readonly [View, View, View]): number[] {
  const { batch, sizes } = productOf(node, views);
  return [...batch, sizes[0], sizes[1]];
}

function productOf(node: Node, [x, w, y]: readonly [View, View, View]): Product {
  const { transposeLeft = false, transposeRight = false } = node.attrs as MatmulAttrs;
  const lead = y.shape.slice(0, -2);
  const turned = (view: View, turn: boolean): number[] => {
    const [rows, columns] = view.strides.slice(-2) as [number, number];
    const own = { shape: view.shape.slice(0, -2), strides: view.strides.slice(0, -2) };
    return [...broadcastStrides(own, lead), ...(turn ? [columns, rows] : [rows, columns])];
  };
  const steps: Product["steps"] = [turned(x, transposeLeft), turned(w, transposeRight), [...y.strides]];
  const [m, n] = y.shape.slice(-2) as [number, number];
  const k = x.shape.at(transposeLeft ? -2 : -1)!;
  return withRows(lead, [m, n, k], steps);
}

/** Batches whose rows follow one another, against one and the same right side, are one long batch of rows. */
function withRows(lead: Shape, [m, n, k]: Product["sizes"], steps: Product["steps"]): Product {
  const [left, right, result] = steps.map((s) => [...s]) as [number[], number[], number[]];
  let rows = m;
  let batches = lead.length;
  const turned = [left, result];
  while (batches > 0 && right[batches - 1] === 0) {
    const d = batches - 1;
    // one row steps as its batch does
    if (rows === 1) for (const s of turned) s[s.length - 2] = s[d]!;
    if (lead[d] !== 1 && !turned.every((s) => s[d] === rows * s.at(-2)!)) break;
    rows *= lead[d]!;
    batches--;
  }
  const kept = lead.slice(0, batches);
  const all = [left, right, result];
  const outer = all.map((s) => s.slice(0, batches));
  const batch = size(kept) === 0 ? [...kept] : collapsed(kept, outer);
  const merged = all.map((s, i) => [...reshaped({ shape: kept, strides: outer[i]! }, batch)!, ...s.slice(-2)]);
  return { batch, sizes: [rows, n, k], steps: merged as unknown as Product["steps"] };
}
