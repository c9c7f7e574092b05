/** Forms of the layers that have kernels of their own. */
import { type Node, size, type Tensor } from "../../ir/index.js";
import { Draft } from "./draft.js";
import type { Desk, Form } from "./forms.js";
import { splat } from "./groups.js";
import { maskOf } from "./masks.js";
import type { View } from "./memory.js";
import { broadcastStrides } from "./strides.js";

const rowsOf = (t: Tensor): [rows: number, width: number] => [size(t.shape.slice(0, -1)), t.shape.at(-1)!];

/** Rows of numbers in, rows of numbers out, in the order of the op's own inputs and outputs. */
const rowWise =
  (kernel: string, epsilon: boolean): Form =>
  (node, desk) => {
    const draft = new Draft(kernel, node.outputs).numbers(...rowsOf(node.inputs[0]!));
    if (epsilon) draft.float((node.attrs as { epsilon: number }).epsilon);
    for (const x of node.inputs) draft.read(desk.row(x));
    for (const y of node.outputs) draft.write(desk.result(y));
    return draft.done();
  };

/** Sizes, mask and the three operands, as `attention` and its gradient begin. */
function attended(kernel: string, node: Node, desk: Desk): Draft {
  const [q, k, v] = node.inputs.slice(0, 3).map((t) => desk.view(t)) as [View, View, View];
  const [B, H, T, D] = q.shape as [number, number, number, number];
  const [, G, S, E] = v.shape as [number, number, number, number];
  const { causal, segments, added } = maskOf(node);
  const draft = new Draft(kernel, node.outputs)
    .numbers(B, H, G, T, S, D, E)
    .float((node.attrs as { scale: number }).scale)
    .numbers(causal, segments !== undefined, added !== undefined);
  for (const x of [q, k, v]) draft.read(x, x.strides);
  segments?.forEach((t, i) => {
    const ids = desk.view(t);
    draft.read(ids, [ids.strides[0]!, ids.strides[2 + i]!]);
  });
  if (added) {
    const mask = desk.view(added);
    draft.read(mask, broadcastStrides(mask, [B, H, T, S]));
  }
  return draft;
}

const attention: Form = (node, desk) => {
  const draft = attended("attention", node, desk);
  for (const y of node.outputs.map((t) => desk.result(t))) draft.write(y, y.strides);
  return draft.done();
};

const attentionGrad: Form = (node, desk) => {
  const draft = attended("attentionGrad", node, desk);
  for (const x of node.inputs.slice(4).map((t) => desk.view(t))) draft.read(x, x.strides);
  for (const y of node.outputs.map((t) => desk.result(t))) draft.write(y, y.strides);
  return draft.done();
};

const crossEntropy: Form = (node, desk) => {
  const [logits, labels] = node.inputs as [Tensor, Tensor];
  const [rows, width] = rowsOf(logits);
  desk.check(labels, width);
  const draft = new Draft("crossEntropy", node.outputs).numbers(rows, width, width).read(desk.row(logits));
  draft.read(desk.row(labels));
  for (const y of node.outputs) draft.write(desk.result(y));
  return draft.done();
};

const crossEntropyGrad: Form = (node, desk) => {
  const [logits, labels] = node.inputs as [Tensor, Tensor];
  const [rows, width] = rowsOf(logits);
  desk.check(labels, width);
  const draft = new Draft("crossEntropyGrad", node.outputs).numbers(rows, width);
  for (const x of node.inputs) draft.read(desk.row(x));
  const y = desk.result(node.outputs[0]!);
  return draft.write(y).over(desk.row(logits), y).done();
};

/** With gradients and without: a bias that is nothing is left out. */
const linearCrossEntropy: Form = (node, desk) => {
  const [h, w, bias, labels, g] = node.inputs as [Tensor, Tensor, Tensor, Tensor, Tensor | undefined];
  const [loss, ...others] = node.outputs as [Tensor, ...Tensor[]];
  desk.check(labels, w.shape[0]!);
  const biased = splat(bias) !== 0;
  const draft = new Draft("linearCrossEntropy", node.outputs)
    .numbers(h.shape[0]!, h.shape[1]!, w.shape[0]!, biased, g !== undefined)
    .read(desk.row(h))
    .read(desk.row(w));
  if (biased) draft.read(desk.row(bias));
  draft.read(desk.row(labels)).write(desk.result(loss));
  if (g) draft.read(desk.view(g), desk.view(g).strides);
  for (const t of others.slice(0, biased ? 3 : 2)) draft.write(desk.result(t));
  return draft.done();
};

export const networkForms: Readonly<Record<string, Form>> = {
  attention,
  attentionGrad,
  crossEntropy,
  crossEntropyGrad,
  linearCrossEntropy,
  linearCrossEntropyGrad: linearCrossEntropy,
  layerNorm: rowWise("layerNorm", true),
  layerNormGrad: rowWise("layerNormGrad", false),
  rmsNorm: rowWise("rmsNorm", true),
  rmsNormGrad: rowWise("rmsNormGrad", false),
  softmax: rowWise("softmax", false),
  softmaxGrad: rowWise("softmaxGrad", false),
  logSoftmax: rowWise("logSoftmax", false),
};
