/** Windows that slide over the last two axes of [N C H W]: how they are placed, how many fit, and what each of their taps reads. */
import { fail, type Shape, show, type Type } from "../ir/index.js";

/** Down and across. */
export type Pair = readonly [height: number, width: number];
export type Padding = readonly [top: number, left: number, bottom: number, right: number];

/** How a window moves and what surrounds the image; each has its default. */
export interface WindowAttrs {
  /** Steps from one window to the next; [1, 1] by default. */
  readonly stride?: Pair | undefined;
  /** Places added around the image, none by default; a pair stands for both sides. */
  readonly padding?: Pair | Padding | undefined;
  /** Steps from one tap to the next; [1, 1] by default. */
  readonly dilation?: Pair | undefined;
}

/** A window with every number said. */
export interface Window {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
}

/** The window that attributes mean. Throws where a number is not a whole one or too small. */
export function windowOf(
  name: string,
  kernel: Pair,
  { stride = [1, 1], padding = [0, 0], dilation = [1, 1] }: WindowAttrs,
): Window {
  const [top, left, bottom = top, right = left] = padding;
  const window: Window = { kernel, stride, padding: [top, left, bottom, right], dilation };
  for (const [what, values] of Object.entries(window) as [string, readonly number[]][]) {
    const least = what === "padding" ? 0 : 1;
    if (values.length % 2 || values.some((n) => !Number.isInteger(n) || n < least))
      throw fail(
        "attribute",
        `${name}: ${what} [${values}] has to be whole numbers of at least ${least}, down and across`,
      );
  }
  return window;
}

/** A number down and the same number across. */
export const each = (f: (axis: 0 | 1) => number): Pair => [f(0), f(1)];
/** Places from a window's first tap to its last, both counted. */
export const extent = ({ kernel, dilation }: Window): Pair => each((d) => (kernel[d] - 1) * dilation[d] + 1);

/** How many windows fit in an image [N C H W], down and across. Throws when there is no room for one. */
export function fitting(name: string, x: Type, window: Window): Pair {
  if (x.shape.length !== 4) throw fail("shape", `${name}: ${show(x)} is not [N C H W]`, "reshape it to four axes");
  const reach = extent(window);
  return each((d) => {
    const padded = x.shape[2 + d]! + window.padding[d] + window.padding[2 + d]!;
    if (padded < reach[d])
      throw fail(
        "shape",
        `${name}: a window of ${reach[d]} places does not fit in ${padded} of ${show(x)}`,
        "pad more, or use a smaller kernel or dilation",
      );
    return Math.floor((padded - reach[d]) / window.stride[d]) + 1;
  });
}

/** What taps read in one plane, window by window: place `from[i]` of the image, through tap `tap[i]`, into window `to[i]`. */
export interface Reads {
  readonly from: readonly number[];
  readonly tap: readonly number[];
  readonly to: readonly number[];
}
/** The reads of one plane; taps that fall outside the image read nothing. */
export function reads({ kernel, stride, padding, dilation }: Window, [H, W]: Pair, [OH, OW]: Pair): Reads {
  const found = { from: [] as number[], tap: [] as number[], to: [] as number[] };
  const taps = kernel[0] * kernel[1];
  for (let i = 0; i < OH * OW * taps; i++) {
    const [to, tap] = [Math.floor(i / taps), i % taps];
    const h = Math.floor(to / OW) * stride[0] - padding[0] + Math.floor(tap / kernel[1]) * dilation[0];
    const w = (to % OW) * stride[1] - padding[1] + (tap % kernel[1]) * dilation[1];
    if (h < 0 || h >= H || w < 0 || w >= W) continue;
    found.from.push(h * W + w);
    found.tap.push(tap);
    found.to.push(to);
  }
  return found;
}

/** The last two sizes of [N C H W]. */
export const plane = (shape: Shape): Pair => [shape[2]!, shape[3]!];
