/** Convolutions over images, and the two ops that are their gradients: each of the three is linear in both of its inputs. */
import {
  type Emitter,
  fail,
  type OnnxTypes,
  type Op,
  op,
  type Shape,
  show,
  size,
  type Tensor,
  type Type,
} from "../ir/index.js";
import { sameDtype } from "./broadcast.js";
import { each, extent, fitting, type Pair, plane, reads, type WindowAttrs, windowOf } from "./window.js";

export interface ConvAttrs extends WindowAttrs {
  /** Channels fall into so many groups that do not mix; 1 by default. */
  readonly groups?: number | undefined;
}
/** The image that a gradient belongs to: several sizes have the same number of windows. */
export interface InputGradAttrs extends ConvAttrs {
  readonly size: Pair;
}
export interface WeightGradAttrs extends ConvAttrs {
  readonly kernel: Pair;
}
type Two<A> = Op<[Tensor, Tensor], A>;

/** Convolution (cross-correlation, as everyone trains it): x [N C H W] by w [O C/groups KH KW] to [N O OH OW]. */
export const conv2d: Two<ConvAttrs> = op<[x: Tensor, w: Tensor], ConvAttrs>({
  name: "conv2d",
  type: ([x, w], attrs) => ({ dtype: x.dtype, shape: outputOf("conv2d", x, w, attrs) }),
  ref([x, w], attrs, [out]) {
    const y = new Float64Array(size(out!.shape));
    products(x.shape, w.shape, out!.shape, attrs, (i, j, k) => {
      y[k]! += x.data[i]! * w.data[j]!;
    });
    return y;
  },
  vjp: (g, [x, w], _, attrs) => [
    conv2dInputGrad(w, g, { ...attrs, size: plane(x.shape) }),
    conv2dWeightGrad(x, g, { ...attrs, kernel: plane(w.shape) }),
  ],
  onnx: (e, xs, attrs, { inputs: [, w] }) => e.node("Conv", xs, placed(plane(w!.shape), attrs)),
  cost: ([, w], [y]) => flops(w, y!),
  samples: samples((c) => ({ inputs: [c.x, c.w], attrs: c.attrs })),
});

/** What a convolution's input gets: w [O C/groups KH KW] and the output's gradient g [N O OH OW] to [N C H W]. */
export const conv2dInputGrad: Two<InputGradAttrs> = op<[w: Tensor, g: Tensor], InputGradAttrs>({
  name: "conv2dInputGrad",
  type([w, g], { size: [H, W], ...attrs }) {
    const x: Type = { dtype: w.dtype, shape: [g.shape[0]!, (w.shape[1] ?? 0) * (attrs.groups ?? 1), H, W] };
    agree("conv2dInputGrad", g, outputOf("conv2dInputGrad", x, w, attrs));
    return x;
  },
  ref([w, g], attrs, [out]) {
    const dx = new Float64Array(size(out!.shape));
    products(out!.shape, w.shape, g.shape, attrs, (i, j, k) => {
      dx[i]! += w.data[j]! * g.data[k]!;
    });
    return dx;
  },
  vjp: (u, [w, g], _, { size: _size, ...attrs }) => [
    conv2dWeightGrad(u, g, { ...attrs, kernel: plane(w.shape) }),
    conv2d(u, w, attrs),
  ],
  onnx: (e, [w, g], attrs, types) => inputGradOf(e, [w!, g!], attrs, types),
  cost: ([w, g]) => flops(w, g),
  samples: samples((c) => ({ inputs: [c.w, c.y], attrs: { ...c.attrs, size: plane(c.x) } })),
});

/** What a convolution's weights get: x [N C H W] and the output's gradient g [N O OH OW] to [O C/groups KH KW]. */
export const conv2dWeightGrad: Two<WeightGradAttrs> = op<[x: Tensor, g: Tensor], WeightGradAttrs>({
  name: "conv2dWeightGrad",
  type([x, g], { kernel, ...attrs }) {
    const channels = Math.floor((x.shape[1] ?? 0) / (attrs.groups ?? 1));
    const w: Type = { dtype: x.dtype, shape: [g.shape[1] ?? 0, channels, ...kernel] };
    agree("conv2dWeightGrad", g, outputOf("conv2dWeightGrad", x, w, attrs));
    return w;
  },
  ref([x, g], attrs, [out]) {
    const dw = new Float64Array(size(out!.shape));
    products(x.shape, out!.shape, g.shape, attrs, (i, j, k) => {
      dw[j]! += x.data[i]! * g.data[k]!;
    });
    return dw;
  },
  vjp: (v, [x, g], _, { kernel: _kernel, ...attrs }) => [
    conv2dInputGrad(v, g, { ...attrs, size: plane(x.shape) }),
    conv2d(x, v, attrs),
  ],
  onnx: (e, [x, g], attrs, types) => weightGradOf(e, [x!, g!], attrs, types),
  cost: ([, g], [w]) => flops(w!, g),
  samples: samples((c) => ({ inputs: [c.x, c.y], attrs: { ...c.attrs, kernel: plane(c.w) } })),
});

/** The shape of a convolution's output. */
function outputOf(name: string, x: Type, w: Type, { groups = 1, ...attrs }: ConvAttrs): Shape {
  sameDtype(name, x, w);
  if (w.shape.length !== 4) throw fail("shape", `${name}: weights ${show(w)} are not [O C/groups KH KW]`);
  const [O, channels] = w.shape as [number, number];
  const window = fitting(name, x, windowOf(name, plane(w.shape), attrs));
  if (!Number.isInteger(groups) || groups < 1 || O % groups)
    throw fail("attribute", `${name}: ${O} output channels do not fall into ${groups} groups`);
  if (x.shape[1] !== channels * groups)
    throw fail(
      "shape",
      `${name}: ${show(x)} has ${x.shape[1]} channels, weights ${show(w)} with groups = ${groups} read ${channels * groups}`,
    );
  return [x.shape[0]!, O, ...window];
}
function agree(name: string, g: Type, want: Shape): void {
  if (g.shape.join() !== want.join()) throw fail("shape", `${name}: the gradient is ${show(g)}, the output [${want}]`);
}
const flops = (w: Type, y: Type): number => 2 * size(y.shape) * size(w.shape.slice(1));

/** Every product x[i] w[j] that a convolution adds to y[k]. */
function products(
  x: Shape,
  w: Shape,
  y: Shape,
  { groups = 1, ...attrs }: ConvAttrs,
  f: (i: number, j: number, k: number) => void,
): void {
  const { from, tap, to } = reads(windowOf("conv2d", plane(w), attrs), plane(x), plane(y));
  const [image, taps, windows] = [size(x.slice(2)), size(w.slice(2)), size(y.slice(2))];
  const [N, C, O, channels] = [x[0]!, x[1]!, y[1]!, w[1]!];
  for (let row = 0; row < N * O * channels; row++) {
    const [c, o, n] = [row % channels, Math.floor(row / channels) % O, Math.floor(row / channels / O)];
    const i = (n * C + Math.floor((o * groups) / O) * channels + c) * image;
    const [j, k] = [(o * channels + c) * taps, (n * O + o) * windows];
    for (let r = 0; r < from.length; r++) f(i + from[r]!, j + tap[r]!, k + to[r]!);
  }
}

/** ONNX's words for a placed window. */
function placed(kernel: Pair, { groups = 1, ...attrs }: ConvAttrs) {
  const { stride, padding, dilation } = windowOf("conv2d", kernel, attrs);
  return { kernel_shape: kernel, strides: stride, pads: padding, dilations: dilation, group: groups };
}

/** Where windows lie side by side, a convolution with the weights turned around: measured faster than ConvTranspose in ONNX Runtime. */
function inputGradOf(
  e: Emitter,
  [w, g]: readonly [string, string],
  { size, groups = 1, ...attrs }: InputGradAttrs,
  types: OnnxTypes,
): string {
  const [kernel, windows] = [plane(types.inputs[0]!.shape), plane(types.inputs[1]!.shape)];
  const window = windowOf("conv2dInputGrad", kernel, attrs);
  const { stride, padding, dilation } = window;
  const reach = extent(window);
  const turned = padding.map((n, side) => reach[side % 2 ? 1 : 0] - 1 - n);
  if (groups === 1 && stride[0] === 1 && stride[1] === 1 && turned.every((n) => n >= 0)) {
    const two = (values: readonly number[]) => e.constant("i64", [2], values);
    const beyond = two([-(2 ** 31), -(2 ** 31)]);
    const flipped = e.node("Slice", [w, two([-1, -1]), beyond, two([2, 3]), two([-1, -1])]);
    const back = e.node("Transpose", [flipped], { perm: [1, 0, 2, 3] });
    return e.node("Conv", [g, back], { kernel_shape: kernel, pads: turned, dilations: dilation });
  }
  const covered = each((d) => (windows[d] - 1) * stride[d] + reach[d] - padding[d] - padding[2 + d]!);
  const rest = each((d) => size[d] - covered[d]);
  return e.node("ConvTranspose", [g, w], { ...placed(kernel, { ...attrs, groups }), output_padding: rest });
}

/** What each tap reads as a column, channels innermost, and one matrix product: measured the fastest of five ways in ONNX Runtime. */
function weightGradOf(
  e: Emitter,
  [x, g]: readonly [string, string],
  { kernel, groups = 1, ...attrs }: WeightGradAttrs,
  types: OnnxTypes,
): string {
  const [image, output] = types.inputs.map((t) => t.shape) as [Shape, Shape];
  const { stride, padding, dilation } = windowOf("conv2dWeightGrad", kernel, attrs);
  const windows = plane(output);
  const [O, channels, taps, rows] = [output[1]!, image[1]! / groups, size(kernel), output[0]! * size(windows)];
  const ints = (values: readonly number[]) => e.constant("i64", [values.length], values);
  const shaped = (name: string, shape: Shape) => e.node("Reshape", [name, ints(shape)], { allowzero: 1 });
  const [top, left, bottom, right] = padding;
  const last = e.node("Transpose", [x], { perm: [0, 2, 3, 1] });
  const padded = e.node("Pad", [last, ints([0, top, left, 0, 0, bottom, right, 0])]);
  const columns = Array.from({ length: taps }, (_, tap) => {
    const at = [Math.floor(tap / kernel[1]), tap % kernel[1]] as const;
    const start = each((d) => at[d] * dilation[d]);
    const end = each((d) => start[d] + (windows[d] - 1) * stride[d] + 1);
    const read = e.node("Slice", [padded, ints(start), ints(end), ints([1, 2]), ints(stride)]);
    return shaped(read, groups === 1 ? [rows, channels] : [rows, 1, groups, channels]);
  });
  const joined = taps === 1 ? columns[0]! : e.node("Concat", columns, { axis: 1 });
  const apart = () => shaped(e.node("Transpose", [joined], { perm: [2, 0, 1, 3] }), [groups, rows, taps * channels]);
  const turned = e.node("Transpose", [g], { perm: [1, 0, 2, 3] });
  const product =
    groups === 1
      ? e.node("MatMul", [shaped(turned, [O, rows]), joined])
      : e.node("MatMul", [shaped(turned, [groups, O / groups, rows]), apart()]);
  const channelsFirst = e.node("Transpose", [shaped(product, [O, taps, channels])], { perm: [0, 2, 1] });
  return shaped(channelsFirst, types.outputs[0]!.shape);
}

interface ConvCase {
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
  readonly attrs: ConvAttrs;
}
/** One placed convolution after another, as samples of each of the three ops. */
function samples<A>(of: (c: ConvCase) => { inputs: Shape[]; attrs: A }) {
  const cases: ConvCase[] = [
    { x: [2, 3, 5, 4], w: [4, 3, 3, 3], y: [2, 4, 5, 4], attrs: { padding: [1, 1] } },
    { x: [2, 3, 6, 5], w: [2, 3, 3, 3], y: [2, 2, 3, 3], attrs: { stride: [2, 2], padding: [1, 1] } },
    { x: [1, 3, 4, 4], w: [5, 3, 1, 1], y: [1, 5, 4, 4], attrs: {} },
    { x: [1, 3, 5, 5], w: [2, 3, 1, 1], y: [1, 2, 3, 3], attrs: { stride: [2, 2] } },
    { x: [1, 2, 6, 7], w: [3, 2, 2, 3], y: [1, 3, 6, 3], attrs: { padding: [1, 0, 0, 2], stride: [1, 3] } },
    { x: [1, 2, 7, 6], w: [2, 2, 3, 2], y: [1, 2, 4, 5], attrs: { dilation: [2, 1], padding: [1, 0, 0, 0] } },
    { x: [2, 4, 4, 3], w: [6, 2, 3, 3], y: [2, 6, 4, 3], attrs: { groups: 2, padding: [1, 1] } },
    { x: [1, 3, 5, 6], w: [3, 1, 3, 3], y: [1, 3, 3, 3], attrs: { groups: 3, padding: [1, 1], stride: [2, 2] } },
    { x: [1, 2, 2, 2], w: [1, 2, 1, 1], y: [1, 1, 4, 4], attrs: { padding: [1, 1] } },
  ];
  return cases.map(of);
}
