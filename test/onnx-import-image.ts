/** ONNX's convolutions, pools and batch normalisation said in our ops, for images and (as images of one row) for sequences. */
import { type Shape, size, type Tensor } from "../src/ir/index.js";
import { avgPool2d, batchNorm, conv2d, conv2dInputGrad, maxPool2d } from "../src/ops/index.js";
import type { Context, Rule } from "./onnx-import.js";

type Pair = [number, number];
type Four = [number, number, number, number];
/** What a node says of its windows, in two axes; undefined where it has other axes, or rounds up. */
interface Placing {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padding: Four;
  readonly rest: Pair;
}

const flatOf = (axes: number) => (values: readonly number[], filling: number) =>
  (axes === 1 ? [filling, values[0]!] : [...values]) as Pair;
/** [N C L] -> [N C 1 L]; an image stays as it is. */
const image = (x: Tensor): Tensor => (x.shape.length === 3 ? x.reshape([...x.shape.slice(0, 2), 1, x.shape[2]!]) : x);
const back = (y: Tensor, like: Tensor): Tensor =>
  like.shape.length === 3 ? y.reshape([...y.shape.slice(0, 2), y.shape[3]!]) : y;

function placing({ node: { attrs } }: Context, x: Shape, kernelShape: Shape): Placing | undefined {
  const axes = x.length - 2;
  if ((axes !== 1 && axes !== 2) || attrs["ceil_mode"]) return undefined;
  const two = flatOf(axes);
  const list = (name: string, otherwise: number) =>
    (attrs[name] as number[] | undefined) ?? new Array<number>(axes).fill(otherwise);
  const kernel = two(kernelShape, 1);
  const [stride, dilation] = [two(list("strides", 1), 1), two(list("dilations", 1), 1)];
  const rest = two(list("output_padding", 0), 0);
  const pads = (attrs["pads"] as number[] | undefined) ?? new Array<number>(2 * axes).fill(0);
  const given: Four = [...two(pads.slice(0, axes), 0), ...two(pads.slice(axes), 0)];
  const how = attrs["auto_pad"] ?? "NOTSET";
  if (how === "NOTSET" || how === "VALID") return { kernel, stride, dilation, padding: given, rest };
  // as many windows as steps in the image: what is missing is added, the odd one at the end or at the start
  const sizes = two(x.slice(2), 1);
  const missing = sizes.map((n, d) => {
    const reach = (kernel[d]! - 1) * dilation[d]! + 1;
    return Math.max(0, (Math.ceil(n / stride[d]!) - 1) * stride[d]! + reach - n);
  });
  const less = missing.map((n) => Math.floor(n / 2));
  const more = missing.map((n, d) => n - less[d]!);
  const padding = (how === "SAME_UPPER" ? [...less, ...more] : [...more, ...less]) as Four;
  return { kernel, stride, dilation, padding, rest };
}

const shifted = (y: Tensor, bias: Tensor | undefined): Tensor =>
  bias ? y.add(bias.reshape([1, size(bias.shape), 1, 1])) : y;
const groupsOf = ({ node }: Context): number => (node.attrs["group"] as number | undefined) ?? 1;

const conv: Rule = (c) => {
  const [x, w, bias] = c.xs as [Tensor, Tensor, Tensor | undefined];
  const at = placing(c, x.shape, w.shape.slice(2));
  return at && back(shifted(conv2d(image(x), image(w), { ...at, groups: groupsOf(c) }), bias), x);
};

const convTranspose: Rule = (c) => {
  const [g, w, bias] = c.xs as [Tensor, Tensor, Tensor | undefined];
  const { output_shape: asked, auto_pad: automatic } = c.node.attrs;
  const at = asked || automatic ? undefined : placing(c, g.shape, w.shape.slice(2));
  if (!at) return undefined;
  const windows = image(g).shape.slice(2);
  const sizes = at.kernel.map((n, d) => {
    const reach = (n - 1) * at.dilation[d]! + 1;
    return (windows[d]! - 1) * at.stride[d]! + reach + at.rest[d]! - at.padding[d]! - at.padding[d + 2]!;
  }) as Pair;
  return back(shifted(conv2dInputGrad(image(w), image(g), { ...at, groups: groupsOf(c), size: sizes }), bias), g);
};

const pool =
  (f: (x: Tensor, at: Placing, c: Context) => Tensor): Rule =>
  (c) => {
    const [x] = c.xs as [Tensor];
    const at = placing(c, x.shape, c.node.attrs["kernel_shape"] as number[]);
    const plain = at?.dilation.every((n) => n === 1) && x.dtype === "f32" && c.node.outputs.length === 1;
    return at && plain ? back(f(image(x), at, c), x) : undefined;
  };

const normalise: Rule = (c) => {
  const [x, gain, bias, mean, variance] = c.xs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  if (c.opset < 9) return undefined;
  const epsilon = (c.node.attrs["epsilon"] as number | undefined) ?? 1e-5;
  const beside = (t: Tensor) => t.reshape(x.shape.map((n, d) => (d === 1 ? n : 1)));
  if (!c.node.attrs["training_mode"])
    return x
      .sub(beside(mean))
      .mul(beside(gain.div(variance.add(epsilon).sqrt())))
      .add(beside(bias));
  const kept = (c.node.attrs["momentum"] as number | undefined) ?? 0.9;
  const [y, centre, inverse] = batchNorm(x, gain, bias, { epsilon });
  const spread = inverse.mul(0).add(1).div(inverse.square()).sub(epsilon);
  const moved = (old: Tensor, now: Tensor) => old.mul(kept).add(now.mul(1 - kept));
  return [y, moved(mean, centre), moved(variance, spread)];
};

const spatial = (x: Tensor): number[] => x.shape.map((_, d) => d).slice(2);
/** ONNX operator to our ops. */
export const imageRules: Readonly<Record<string, Rule>> = {
  AveragePool: pool((x, at, c) => avgPool2d(x, { ...at, countPadding: c.node.attrs["count_include_pad"] === 1 })),
  BatchNormalization: normalise,
  Conv: conv,
  ConvTranspose: convTranspose,
  GlobalAveragePool: ({ xs: [x] }) => x!.mean(spatial(x!), { keep: true }),
  GlobalMaxPool: ({ xs: [x] }) => x!.max(spatial(x!), { keep: true }),
  MaxPool: pool((x, at) => maxPool2d(x, at)),
};
