/** The ops that read best after a dot. `declare module` types them; one assignment installs them. */
import { type Dtype, type Shape, Tensor } from "../ir/index.js";
import { logSoftmax, softmax } from "./activation.js";
import * as e from "./elementwise.js";
import { gather, gatherLast } from "./index-ops.js";
import { matmul, swapped } from "./linalg.js";
import { argmax, max, sum } from "./reduce.js";
import { expand, reshape, slice, split, transpose } from "./shape.js";

type Operand = Tensor | number;
interface Keep {
  readonly keep?: boolean;
}
declare module "../ir/tensor.js" {
  interface Tensor {
    add(y: Operand): Tensor;
    sub(y: Operand): Tensor;
    mul(y: Operand): Tensor;
    div(y: Operand): Tensor;
    maximum(y: Operand): Tensor;
    minimum(y: Operand): Tensor;
    /** Limited to [low, high]. */
    clamp(low: number, high: number): Tensor;
    equal(y: Operand): Tensor;
    less(y: Operand): Tensor;
    lessEqual(y: Operand): Tensor;
    greater(y: Operand): Tensor;
    and(y: Tensor): Tensor;
    or(y: Tensor): Tensor;
    not(): Tensor;
    neg(): Tensor;
    exp(): Tensor;
    log(): Tensor;
    sqrt(): Tensor;
    tanh(): Tensor;
    sigmoid(): Tensor;
    erf(): Tensor;
    relu(): Tensor;
    abs(): Tensor;
    sign(): Tensor;
    sin(): Tensor;
    cos(): Tensor;
    square(): Tensor;
    detach(): Tensor;
    cast(to: Dtype): Tensor;
    matmul(w: Tensor): Tensor;
    /** The last two axes swapped. */
    readonly T: Tensor;
    reshape(shape: Shape): Tensor;
    transpose(order: readonly number[]): Tensor;
    expand(shape: Shape): Tensor;
    slice(axis: number, start: number, end: number): Tensor;
    split(axis: number, sizes: readonly number[]): readonly Tensor[];
    /** Over `axes` (all by default); they are dropped unless `keep`. */
    sum(axes?: readonly number[], o?: Keep): Tensor;
    mean(axes?: readonly number[], o?: Keep): Tensor;
    max(axes?: readonly number[], o?: Keep): Tensor;
    argmax(axis: number): Tensor;
    /** Rows along axis 0. */
    gather(ids: Tensor): Tensor;
    /** One element of the last axis for each place. */
    gatherLast(ids: Tensor): Tensor;
    softmax(): Tensor;
    logSoftmax(): Tensor;
  }
}

const all = (x: Tensor): number[] => x.shape.map((_, d) => d);
const axis = (x: Tensor, d: number): number => (d < 0 ? d + x.shape.length : d);
const attrs = (x: Tensor, axes: readonly number[] | undefined, { keep = false }: Keep) => ({
  axes: axes?.map((d) => axis(x, d)) ?? all(x),
  keep,
});
const methods = {
  add(y: Operand) {
    return e.add(this, e.lift(y, this));
  },
  sub(y: Operand) {
    return e.sub(this, e.lift(y, this));
  },
  mul(y: Operand) {
    return e.mul(this, e.lift(y, this));
  },
  div(y: Operand) {
    return typeof y === "number" ? e.mul(this, e.lift(1 / y, this)) : e.div(this, y);
  },
  maximum(y: Operand) {
    return e.maximum(this, e.lift(y, this));
  },
  minimum(y: Operand) {
    return e.minimum(this, e.lift(y, this));
  },
  clamp(low: number, high: number) {
    return this.maximum(low).minimum(high);
  },
  equal(y: Operand) {
    return e.equal(this, e.lift(y, this));
  },
  less(y: Operand) {
    return e.less(this, e.lift(y, this));
  },
  lessEqual(y: Operand) {
    return e.lessEqual(this, e.lift(y, this));
  },
  greater(y: Operand) {
    return e.less(e.lift(y, this), this);
  },
  and(y: Tensor) {
    return e.and(this, y);
  },
  or(y: Tensor) {
    return e.or(this, y);
  },
  square() {
    return e.mul(this, this);
  },
  cast(to: Dtype) {
    return this.dtype === to ? this : e.cast(this, { to });
  },
  matmul(w: Tensor) {
    return matmul(this, w, {});
  },
  reshape(shape: Shape) {
    return reshape(this, { shape });
  },
  transpose(order: readonly number[]) {
    return transpose(this, { order });
  },
  expand(shape: Shape) {
    return expand(this, { shape });
  },
  slice(d: number, start: number, end: number) {
    return slice(this, { axis: axis(this, d), start, end });
  },
  split(d: number, sizes: readonly number[]) {
    return sizes.length === 1 ? [this] : split(this, { axis: axis(this, d), sizes });
  },
  sum(axes?: readonly number[], o: Keep = {}) {
    return sum(this, attrs(this, axes, o));
  },
  mean(axes?: readonly number[], o: Keep = {}) {
    const over = attrs(this, axes, o);
    return sum(this, over).mul(1 / over.axes.reduce((n, d) => n * this.shape[d]!, 1));
  },
  max(axes?: readonly number[], o: Keep = {}) {
    return max(this, attrs(this, axes, o));
  },
  argmax(d: number) {
    return argmax(this, { axis: axis(this, d) });
  },
  gather(ids: Tensor) {
    return gather(this, ids);
  },
  gatherLast(ids: Tensor) {
    return gatherLast(this, ids);
  },
} satisfies ThisType<Tensor> & Record<string, unknown>;

const { not, neg, exp, log, sqrt, tanh, sigmoid, erf, relu, abs, sign, sin, cos, detach } = e;
const unary = { not, neg, exp, log, sqrt, tanh, sigmoid, erf, relu, abs, sign, sin, cos, detach, softmax, logSoftmax };
Object.assign(Tensor.prototype, methods);
for (const [name, op] of Object.entries(unary))
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor) {
      return op(this);
    },
  });
Object.defineProperty(Tensor.prototype, "T", {
  get(this: Tensor) {
    return this.transpose(swapped(this.shape.length));
  },
});
