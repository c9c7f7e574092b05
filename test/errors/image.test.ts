/** What ops on images say when sizes do not fit: every message once. */
import { expect, test } from "vitest";
import { grad } from "../../src/grad/index.js";
import { f32, input, type Shape } from "../../src/ir/index.js";
import * as o from "../../src/ops/index.js";
import { table } from "../../src/ops/table.js";
import { said } from "./said.js";

const of = (...shape: number[]) => input("x", f32(shape as Shape));
const x = of(2, 3, 5, 5);
const w = of(4, 3, 3, 3);

test("convolutions name the sizes that differ and what would fit", async () => {
  expect(
    await said([
      () => o.conv2d(of(3, 5, 5), w, {}),
      () => o.conv2d(x, of(4, 3), {}),
      () => o.conv2d(x, of(4, 2, 3, 3), {}),
      () => o.conv2d(x, w, { groups: 3 }),
      () => o.conv2d(x, w, { stride: [0, 1] }),
      () => o.conv2d(x, w, { padding: [1, -1] }),
      () => o.conv2d(x, w, { dilation: [3, 1] }),
      () => o.conv2dInputGrad(w, of(2, 4, 3, 3), { size: [6, 6] }),
      () => o.conv2dWeightGrad(x, of(2, 4, 3, 3), { kernel: [2, 2] }),
    ]),
  ).toMatchInlineSnapshot(`
    "[shape] conv2d: f32[3,5,5] is not [N C H W]
      help: reshape it to four axes
    [shape] conv2d: weights f32[4,3] are not [O C/groups KH KW]
    [shape] conv2d: f32[2,3,5,5] has 3 channels, weights f32[4,2,3,3] with groups = 1 read 2
    [attribute] conv2d: 4 output channels do not fall into 3 groups
    [attribute] conv2d: stride [0,1] has to be whole numbers of at least 1, down and across
    [attribute] conv2d: padding [1,-1,1,-1] has to be whole numbers of at least 0, down and across
    [shape] conv2d: a window of 7 places does not fit in 5 of f32[2,3,5,5]
      help: pad more, or use a smaller kernel or dilation
    [shape] conv2dInputGrad: the gradient is f32[2,4,3,3], the output [2,4,4,4]
    [shape] conv2dWeightGrad: the gradient is f32[2,4,3,3], the output [2,4,4,4]"
  `);
});

test("pools and batch normalisation too", async () => {
  const pool = { kernel: [2, 2] } as const;
  expect(
    await said([
      () => o.maxPool2d(x, { kernel: [2, 2], padding: [2, 0] }),
      () => table.get("avgPool2dGrad")!.type([of(2, 3, 2, 2).type], { ...pool, size: [6, 6] }),
      () => grad(grad(o.maxPool2d(x, pool).square().sum(), [x])[0]!.sum(), [x]),
      () => o.batchNorm(of(3), of(3), of(3), { epsilon: 1e-5 }),
      () => o.batchNorm(x, of(3), of(2), { epsilon: 1e-5 }),
      () =>
        table.get("batchNormGrad")!.type(
          [x, of(3), of(3), of(3), w].map((t) => t.type),
          undefined,
        ),
      () => grad(o.batchNorm(x, of(3), of(3), { epsilon: 1e-5 })[1].sum(), [x]),
    ]),
  ).toMatchInlineSnapshot(`
    "[attribute] maxPool2d: padding [2,0,2,0] leaves windows of [2,2] with nothing in them
    [shape] avgPool2dGrad: the gradient is f32[2,3,2,2], the output f32[2,3,3,3]
    [internal] maxPool2dGrad: max pooling has no second gradient
    [shape] batchNorm: f32[3] is not [N C …]
    [shape] batchNorm: f32[2,3,5,5] needs numbers for each channel [3], got f32[2]
    [shape] batchNormGrad: the gradient is f32[4,3,3,3], x f32[2,3,5,5]
    [internal] batchNorm: only the value has a gradient, not the statistics
      help: detach them"
  `);
});
