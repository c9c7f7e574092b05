/** Pooling: the largest or the mean of what each window holds, channel by channel. */
import { constant, fail, type Op, op, type Shape, show, size, type Tensor, type Type } from "../ir/index.js";
import { conv2d, conv2dInputGrad } from "./conv.js";
import { mul } from "./elementwise.js";
import { extent, fitting, type Pair, plane, reads, type Window, type WindowAttrs, windowOf } from "./window.js";

export interface PoolAttrs extends Omit<WindowAttrs, "dilation"> {
  readonly kernel: Pair;
  /** Steps from one window to the next; the kernel's size by default. */
  readonly stride?: Pair | undefined;
}
export interface AveragePoolAttrs extends PoolAttrs {
  /** Whether places of the padding count as zeros in the mean (PyTorch's way), or not at all. True by default. */
  readonly countPadding?: boolean | undefined;
}
export interface AveragePoolGradAttrs extends AveragePoolAttrs {
  /** The image that the gradient belongs to. */
  readonly size: Pair;
}

/** The largest of each window: x [N C H W] to [N C OH OW]. The gradient goes to the first of equal ones. */
export const maxPool2d: Op<[x: Tensor], PoolAttrs> = op<[x: Tensor], PoolAttrs>({
  name: "maxPool2d",
  type: ([x], attrs) => pooled("maxPool2d", x, attrs),
  ref([x], attrs, [out]) {
    const [data, at] = [x.data, largest(x, attrs, out!.shape)];
    return Float64Array.from(at, (i) => data[i]!);
  },
  vjp: (g, [x], _, attrs) => [maxPool2dGrad(x, g, attrs)],
  onnx: (e, [x], attrs) => e.node("MaxPool", [x!], placed(attrs)),
  cost: (_, [y], { kernel }) => size(y!.shape) * size(kernel),
  samples: [
    { inputs: [[2, 3, 4, 6]], attrs: { kernel: [2, 2] } },
    { inputs: [[1, 2, 7, 5]], attrs: { kernel: [3, 3], stride: [2, 2], padding: [1, 1] } },
    { inputs: [[1, 2, 5, 4]], attrs: { kernel: [3, 2], stride: [1, 1], padding: [2, 0, 0, 1] } },
  ],
});

/** What max pooling's input gets: x [N C H W] and the output's gradient g [N C OH OW] to [N C H W]. It has no gradient of its own. */
export const maxPool2dGrad: Op<[x: Tensor, g: Tensor], PoolAttrs> = op<[x: Tensor, g: Tensor], PoolAttrs>({
  name: "maxPool2dGrad",
  type([x, g], attrs) {
    agree("maxPool2dGrad", g, pooled("maxPool2dGrad", x, attrs));
    return x;
  },
  ref([x, g], attrs) {
    const dx = new Float64Array(x.data.length);
    largest(x, attrs, g.shape).forEach((i, k) => {
      dx[i]! += g.data[k]!;
    });
    return dx;
  },
  vjp() {
    throw fail("internal", "maxPool2dGrad: max pooling has no second gradient");
  },
  onnx(e, [x, g], attrs, { inputs: [image] }) {
    const all = size(image!.shape);
    const flat = (name: string) => e.node("Reshape", [name, e.constant("i64", [1], [-1])]);
    const [, at] = e.many(2, "MaxPool", [x!], placed(attrs));
    const zeros = e.constant(image!.dtype, [all], 0);
    const sum = e.node("ScatterElements", [zeros, flat(at!), flat(g!)], { axis: 0, reduction: "add" });
    return e.node("Reshape", [sum, e.constant("i64", [4], image!.shape)]);
  },
  cost: ([, g], _, { kernel }) => size(g.shape) * size(kernel),
  samples: [
    {
      inputs: [
        [2, 3, 4, 6],
        [2, 3, 2, 3],
      ],
      attrs: { kernel: [2, 2] },
      grad: false,
    },
    {
      inputs: [
        [1, 2, 7, 5],
        [1, 2, 4, 3],
      ],
      attrs: { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
      grad: false,
    },
  ],
});

/** The mean of each window: x [N C H W] to [N C OH OW]. */
export const avgPool2d: Op<[x: Tensor], AveragePoolAttrs> = op<[x: Tensor], AveragePoolAttrs>({
  name: "avgPool2d",
  type: ([x], attrs) => pooled("avgPool2d", x, attrs),
  lower([x], attrs) {
    const [N, C, H, W] = x.dims("N C H W");
    const sums = conv2d(x, ones(C, attrs, x), { ...attrs, stride: attrs.stride ?? attrs.kernel, groups: C });
    return mul(sums, shares(attrs, [H, W], pooled("avgPool2d", { ...x.type, shape: [N, C, H, W] }, attrs)));
  },
  vjp: (g, [x], _, attrs) => [avgPool2dGrad(g, { ...attrs, size: plane(x.shape) })],
  onnx: (e, [x], attrs) =>
    e.node("AveragePool", [x!], { ...placed(attrs), count_include_pad: (attrs.countPadding ?? true) ? 1 : 0 }),
  cost: (_, [y], { kernel }) => size(y!.shape) * size(kernel),
  samples: [
    { inputs: [[2, 3, 4, 6]], attrs: { kernel: [2, 2] } },
    { inputs: [[1, 2, 7, 5]], attrs: { kernel: [3, 3], stride: [2, 2], padding: [1, 1] } },
    { inputs: [[1, 2, 5, 4]], attrs: { kernel: [3, 2], stride: [1, 1], padding: [2, 0, 0, 1], countPadding: false } },
  ],
});

/** What average pooling's input gets: the output's gradient g [N C OH OW] to [N C H W]. */
export const avgPool2dGrad: Op<[g: Tensor], AveragePoolGradAttrs> = op<[g: Tensor], AveragePoolGradAttrs>({
  name: "avgPool2dGrad",
  type([g], { size: [H, W], ...attrs }) {
    const x: Type = { dtype: g.dtype, shape: [g.shape[0] ?? 0, g.shape[1] ?? 0, H, W] };
    agree("avgPool2dGrad", g, pooled("avgPool2dGrad", x, attrs));
    return x;
  },
  lower([g], { size, ...attrs }) {
    const shared = mul(g, shares(attrs, size, g.type));
    const groups = g.shape[1]!;
    return conv2dInputGrad(ones(groups, attrs, g), shared, {
      ...attrs,
      stride: attrs.stride ?? attrs.kernel,
      groups,
      size,
    });
  },
  vjp: (u, _, __, { size: _size, ...attrs }) => [avgPool2d(u, attrs)],
  cost: ([g], [x], attrs) => size(g.shape) * size(attrs.kernel) + size(x!.shape),
  samples: [
    { inputs: [[2, 3, 2, 3]], attrs: { kernel: [2, 2], size: [4, 6] } },
    { inputs: [[1, 2, 4, 3]], attrs: { kernel: [3, 3], stride: [2, 2], padding: [1, 1], size: [7, 5] } },
    {
      inputs: [[1, 2, 5, 4]],
      attrs: { kernel: [3, 2], stride: [1, 1], padding: [2, 0, 0, 1], countPadding: false, size: [5, 4] },
    },
  ],
});

/** A pool's window. Every window holds a place of the image: padding is narrower than the kernel. */
function windowIn(name: string, { kernel, stride = kernel, padding }: PoolAttrs): Window {
  const window = windowOf(name, kernel, { stride, padding });
  const reach = extent(window);
  if (window.padding.some((n, side) => n >= reach[side % 2 ? 1 : 0]))
    throw fail("attribute", `${name}: padding [${window.padding}] leaves windows of [${kernel}] with nothing in them`);
  return window;
}
function pooled(name: string, x: Type, attrs: PoolAttrs): Type {
  const windows = fitting(name, x, windowIn(name, attrs));
  return { dtype: x.dtype, shape: [x.shape[0]!, x.shape[1]!, ...windows] };
}
function agree(name: string, g: Type, want: Type): void {
  if (g.shape.join() !== want.shape.join())
    throw fail("shape", `${name}: the gradient is ${show(g)}, the output ${show(want)}`);
}

/** Where in `x` the first largest element of each window is. */
function largest(x: { shape: Shape; data: Float64Array }, attrs: PoolAttrs, out: Shape): Int32Array {
  const { from, to } = reads(windowIn("maxPool2d", attrs), plane(x.shape), plane(out));
  const [image, windows] = [size(plane(x.shape)), size(plane(out))];
  const at = new Int32Array(size(out)).fill(-1);
  for (let c = 0; c < out[0]! * out[1]!; c++)
    for (let r = 0; r < from.length; r++) {
      const [i, k] = [c * image + from[r]!, c * windows + to[r]!];
      if (at[k]! < 0 || x.data[i]! > x.data[at[k]!]!) at[k] = i;
    }
  return at;
}

/** Weights that sum each channel by itself. */
const ones = (channels: number, { kernel }: PoolAttrs, like: Tensor): Tensor =>
  constant(1, { dtype: like.dtype, shape: [channels, 1, ...kernel] });
/** What each element of a window counts for. */
function shares(attrs: AveragePoolAttrs, image: Pair, out: Type): Tensor {
  const taps = size(attrs.kernel);
  if (attrs.countPadding ?? true) return constant(1 / taps, { dtype: out.dtype, shape: [] });
  const counts = new Float64Array(size(plane(out.shape)));
  for (const to of reads(windowIn("avgPool2d", attrs), image, plane(out.shape)).to) counts[to]!++;
  return constant(
    counts.map((n) => 1 / n),
    { dtype: out.dtype, shape: [1, 1, ...plane(out.shape)] },
  );
}

/** ONNX's words for a pool. */
function placed(attrs: PoolAttrs) {
  const { kernel, stride, padding } = windowIn("pool", attrs);
  return { kernel_shape: kernel, strides: stride, pads: padding };
}
