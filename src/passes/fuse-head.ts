/** A linear layer and the cross-entropy of its result as one op, with its gradients where the program takes them. */
import { constant, madeAt, type Node, nodes, rewrite, type Tensor } from "../ir/index.js";
import {
  add,
  crossEntropy,
  crossEntropyGrad,
  linearCrossEntropy,
  linearCrossEntropyGrad,
  type MatmulAttrs,
  matmul,
  mul,
  type ReduceAttrs,
  sum,
} from "../ops/index.js";

/** A layer's operands: `h @ wᵀ * scale + bias`. */
interface Layer {
  readonly h: Tensor;
  readonly w: Tensor;
  readonly bias: Tensor;
  readonly scale: number;
}
interface Head extends Layer {
  readonly loss: Tensor;
  readonly labels: Tensor;
  /** Absent where the program takes no gradient of the loss. */
  readonly slope?: Tensor;
}

/**
 * The same values, where logits that only their loss reads are never formed. Of the gradients only those that the program has are
 * computed by the op; anything else that reads the logits keeps the layer as it is.
 */
export function fuseHead(roots: readonly Tensor[]): Tensor[] {
  const readers = new Map<Node, Node[]>();
  const order = nodes(roots);
  for (const node of order) for (const x of new Set(node.inputs)) note(readers, x.node, node);
  const asked = new Set(roots.map((t) => t.node));
  const heads = order.flatMap((node) => headOf(node, readers, asked) ?? []);
  return heads.reduce(
    (found, head) => (head.slope ? withGradient(found, head, readers) : alone(found, head)),
    [...roots],
  );
}
const note = (readers: Map<Node, Node[]>, of: Node, reader: Node) =>
  readers.set(of, [...(readers.get(of) ?? []), reader]);

/** Whether a loss is that of a linear layer whose result nothing else reads. */
function headOf(node: Node, readers: ReadonlyMap<Node, readonly Node[]>, asked: ReadonlySet<Node>): Head | undefined {
  if (node.op !== crossEntropy) return undefined;
  const [logits, labels] = node.inputs as [Tensor, Tensor];
  const layer = layerOf(logits);
  if (layer?.scale !== 1 || asked.has(logits.node)) return undefined;
  const between = logits.op === add ? logits.inputs.filter((t) => t.op === matmul) : [];
  if (between.some((t) => (readers.get(t.node) ?? []).length > 1)) return undefined;
  const others = (readers.get(logits.node) ?? []).filter((n) => n !== node);
  if (others.length > 1 || others.some((n) => n.op !== crossEntropyGrad)) return undefined;
  const [loss, lse] = node.outputs as [Tensor, Tensor];
  const gradient = others[0];
  const lseReaders = (readers.get(node) ?? []).filter((n) => n.inputs.includes(lse));
  if (lseReaders.some((n) => n !== gradient)) return undefined;
  if (!gradient) return { ...layer, loss, labels };
  const slope = gradient.outputs[0]!;
  const [, , , g] = gradient.inputs as [Tensor, Tensor, Tensor, Tensor];
  const fits =
    !asked.has(gradient) && !nodes([g]).includes(node) && (readers.get(gradient) ?? []).every(isGradient(slope, layer));
  return fits ? { ...layer, loss, labels, slope } : undefined;
}

function layerOf(logits: Tensor): Layer | undefined {
  const [product, bias] = logits.op === add ? logits.inputs : [logits, undefined];
  if (product!.op !== matmul) return undefined;
  const { transposeLeft, transposeRight, scale = 1 } = product!.attrs as MatmulAttrs;
  const [h, w] = product!.inputs as [Tensor, Tensor];
  if (h.shape.length !== 2 || w.shape.length !== 2 || transposeLeft || !transposeRight) return undefined;
  const V = w.shape[0]!;
  if (bias && bias.shape.join() !== `${V}`) return undefined;
  return { h, w, bias: bias ?? constant(0, { dtype: h.dtype, shape: [V] }), scale };
}

/** Whether a reader of the logits' gradient is one of the layer's own gradients. */
const isGradient =
  (slope: Tensor, { h, w }: Layer) =>
  (node: Node): boolean => {
    if (node.op === sum) return (node.attrs as ReduceAttrs).axes.join() === "0";
    if (node.op !== matmul || node.inputs[0] !== slope) return false;
    const { transposeLeft = false, transposeRight = false } = node.attrs as MatmulAttrs;
    const [, other] = node.inputs;
    return !transposeRight && other === (transposeLeft ? h : w);
  };

/** Replace tensors by others that do not depend on them. */
const replaced = (roots: readonly Tensor[], by: ReadonlyMap<Tensor, Tensor>): Tensor[] =>
  rewrite(roots, (_, original) =>
    original.outputs.some((t) => by.has(t)) ? original.outputs.map((t) => by.get(t) ?? t) : undefined,
  );

function alone(roots: readonly Tensor[], { h, w, bias, labels, loss }: Head): Tensor[] {
  const [fused] = madeAt(loss.node.at, () => linearCrossEntropy(h, w, bias, labels));
  return replaced(roots, new Map([[loss, fused]]));
}

function withGradient(
  roots: readonly Tensor[],
  { h, w, bias, labels, loss, slope }: Head,
  readers: ReadonlyMap<Node, readonly Node[]>,
): Tensor[] {
  const [, , , g] = slope!.inputs as [Tensor, Tensor, Tensor, Tensor];
  const [own, dh, dw, dbias] = madeAt(loss.node.at, () => linearCrossEntropyGrad(h, w, bias, labels, g));
  const by = new Map([[loss, own]]);
  for (const node of readers.get(slope!.node) ?? [])
    by.set(
      node.outputs[0]!,
      madeAt(node.at, () => gradientOf(node, { dh, dw, dbias })),
    );
  return replaced(roots, by);
}

function gradientOf(node: Node, { dh, dw, dbias }: Readonly<Record<"dh" | "dw" | "dbias", Tensor>>): Tensor {
  const [type] = node.types;
  if (node.op === sum) return dbias.reshape(type!.shape);
  const { transposeLeft, scale = 1 } = node.attrs as MatmulAttrs;
  const found = transposeLeft ? dw : dh;
  return scale === 1 ? found : mul(found, constant(scale, { ...type!, shape: [] }));
}
