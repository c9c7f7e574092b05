/** Forms of the layers of images: convolution, pooling and batch normalisation, wherever their channels lie. */
import { type Node, type Shape, size, type Tensor } from "../../ir/index.js";
import {
  type AveragePoolAttrs,
  type ConvAttrs,
  type Pair,
  type PoolAttrs,
  plane,
  type WindowAttrs,
  windowOf,
} from "../../ops/index.js";
import { Draft } from "./draft.js";
import type { Desk, Form } from "./forms.js";
import { rowMajor, type View } from "./memory.js";
import { reshaped } from "./strides.js";

/** Inputs, then outputs, each with its steps. */
function operands(draft: Draft, node: Node, desk: Desk): Draft {
  for (const x of node.inputs.map((t) => desk.view(t))) draft.read(x, x.strides);
  for (const y of node.outputs.map((t) => desk.result(t))) draft.write(y, y.strides);
  return draft;
}

/** `x`, `w` and `y`: the shapes of the image, the kernel and the result, whichever of them the op computes. */
const convolution =
  (of: (node: Node) => readonly [x: Shape, w: Shape, y: Shape]): Form =>
  (node, desk) => {
    const [x, w, y] = of(node);
    const { groups = 1, ...attrs } = node.attrs as ConvAttrs;
    const { stride, padding, dilation } = windowOf(node.op.name, plane(w), attrs);
    const draft = new Draft(node.op.name, node.outputs).numbers(...x, w[0]!, ...plane(w), ...plane(y));
    draft.numbers(...stride, padding[0], padding[1], ...dilation, groups);
    return operands(draft, node, desk).done();
  };
const shapes = (node: Node): Shape[] => [...node.inputs, ...node.outputs].map((t) => t.shape);

/** `x` and `y`: the shapes of the image and of what the windows hold. */
const pool =
  (of: (node: Node) => readonly [x: Shape, y: Shape], mean: boolean): Form =>
  (node, desk) => {
    const [x, y] = of(node);
    const { kernel, stride = kernel, padding, countPadding = true } = node.attrs as PoolAttrs & AveragePoolAttrs;
    const window = windowOf(node.op.name, kernel, { stride, ...(padding && { padding }) } as WindowAttrs);
    const draft = new Draft(node.op.name, node.outputs).numbers(...x, ...(kernel as Pair), ...plane(y));
    draft.numbers(...window.stride, window.padding[0], window.padding[1]);
    if (mean) draft.numbers(countPadding);
    return operands(draft, node, desk).done();
  };

/** `[N C …]` as `[N C S]`: steps along the three. */
function flat(view: View, t: Tensor): number[] {
  const [N, C] = t.shape as [number, number];
  const shape = [N, C, size(t.shape.slice(2))];
  return reshaped(view, shape) ?? rowMajor(shape);
}

/** Values of an image's shape by their steps, numbers of each channel in a row, in the order of the op's inputs and outputs. */
const normalised =
  (kernel: string, epsilon: boolean): Form =>
  (node, desk) => {
    const [x] = node.inputs as [Tensor];
    const [N, C] = x.shape as [number, number];
    const draft = new Draft(kernel, node.outputs).numbers(N, C, size(x.shape.slice(2)));
    if (epsilon) draft.float((node.attrs as { epsilon: number }).epsilon);
    const isImage = (t: Tensor) => t.shape.length > 1;
    for (const t of node.inputs) {
      const view = isImage(t) && reshaped(desk.view(t), [N, C, size(x.shape.slice(2))]) ? desk.view(t) : desk.row(t);
      draft.read(view, isImage(t) ? flat(view, t) : []);
    }
    for (const t of node.outputs) draft.write(desk.result(t), isImage(t) ? flat(desk.result(t), t) : []);
    return draft.done();
  };

export const imageForms: Readonly<Record<string, Form>> = {
  conv2d: convolution((node) => shapes(node) as unknown as readonly [Shape, Shape, Shape]),
  conv2dInputGrad: convolution((node) => {
    const [w, g, x] = shapes(node) as [Shape, Shape, Shape];
    return [x, w, g];
  }),
  conv2dWeightGrad: convolution((node) => {
    const [x, g, w] = shapes(node) as [Shape, Shape, Shape];
    return [x, w, g];
  }),
  maxPool2d: pool((node) => shapes(node) as unknown as readonly [Shape, Shape], false),
  maxPool2dGrad: pool((node) => shapes(node) as unknown as readonly [Shape, Shape], false),
  avgPool2d: pool((node) => shapes(node) as unknown as readonly [Shape, Shape], true),
  avgPool2dGrad: pool((node) => [...shapes(node)].reverse() as unknown as readonly [Shape, Shape], true),
  batchNorm: normalised("batchNorm", true),
  batchNormGrad: normalised("batchNormGrad", false),
};

/** Values that these kernels compute best with the channels of a place side by side: [N C H W] in the order [N H W C]. */
export const isImage = (t: Tensor): boolean =>
  t.shape.length === 4 && t.op.name in imageForms && t.op.name !== "conv2dWeightGrad";
