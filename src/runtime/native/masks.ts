/** What an attention's mask says: everything, the past only, one document at a time, or numbers of its own. */
import { constantData, isConstant, type Node, splatOf, type Tensor } from "../../ir/index.js";
import { isMovement } from "./layouts.js";

export interface Mask {
  /** Each query sees only keys up to its own place. */
  readonly causal: boolean;
  /** Each query sees only keys of its own segment: i32 [B … T …] and [B … S …], each with one axis that is long. */
  readonly segments?: readonly [queries: Tensor, keys: Tensor];
  /** Numbers added to the scores. */
  readonly added?: Tensor;
}

/** A score this low leaves no probability in single precision. */
const hidden = -1e9;

/** Of an `attention` or its gradient. */
export function maskOf(node: Node): Mask {
  const [, k, , mask] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
  const sizes = [node.inputs[0]!.shape[2]!, k.shape[2]!] as const;
  return plain(mask, sizes) ?? segmented(mask, sizes) ?? { causal: false, added: mask };
}

/** What an op reads in this engine: of a mask that the kernel makes itself, only what that is made from. */
export function operandsOf(node: Node): readonly Tensor[] {
  if (node.op.name !== "attention" && node.op.name !== "attentionGrad") return node.inputs;
  const { segments = [], added } = maskOf(node);
  const [q, k, v, , ...rest] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
  return [q, k, v, ...rest, ...segments, ...(added ? [added] : [])];
}

function plain(mask: Tensor, [T, S]: readonly [number, number]): Mask | undefined {
  if (splatOf(mask) === 0) return { causal: false };
  if (!isConstant(mask) || mask.shape.join() !== `${T},${S}`) return undefined;
  const values = constantData(mask);
  if (typeof values === "number") return undefined;
  const past = values.every((x, i) => (x === 0) === i % S <= Math.floor(i / S) + S - T && (x === 0 || x <= hidden));
  return past ? { causal: true } : undefined;
}

function segmented(mask: Tensor, sizes: readonly [number, number]): Mask | undefined {
  if (mask.op.name !== "where") return undefined;
  const [same, open, closed] = mask.inputs as [Tensor, Tensor, Tensor];
  const low = splatOf(closed);
  if (same.op.name !== "equal" || low === undefined || low > hidden) return undefined;
  const [queries, keys] = same.inputs as [Tensor, Tensor];
  const [T, S] = sizes;
  const fits = (t: Tensor, d: number, n: number) =>
    t.dtype === "i32" && t.shape.length === 4 && t.shape[1] === 1 && t.shape[d] === n && t.shape[5 - d] === 1;
  const within = plain(stripped(open), sizes);
  return within && fits(queries, 2, T) && fits(keys, 3, S) ? { ...within, segments: [queries, keys] } : undefined;
}

function stripped(t: Tensor): Tensor {
  while (isMovement(t.node)) t = t.inputs[0]!;
  return t;
}
