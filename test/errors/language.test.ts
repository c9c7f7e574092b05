/** What the language says when sizes, types or names do not fit: every message once. */
import { expect, test } from "vitest";
import { grad } from "../../src/grad/index.js";
import { constant, evaluate, f32, fail, i32, input, nd, param, Scope, u32 } from "../../src/ir/index.js";
import * as o from "../../src/ops/index.js";
import { type ScheduleOptions, schedule } from "../../src/optim/index.js";
import { said } from "./said.js";

const x = input("x", f32([2, 3]));
const y = input("y", f32([4, 3]));
const vector = input("vector", f32([3]));
const whole = input("whole", i32([2]));
const seed = input("seed", u32([]));
const zeros = () => new Float32Array(0);

test("an error says what, where and what to do", () => {
  expect(fail("shape", "what", "do this", "here").message).toBe("what\n  at here\n  help: do this");
});

test("ops name their operands and the sizes that differ", async () => {
  expect(
    await said([
      () => x.add(y),
      () => x.add(whole),
      () => o.where(x, x, x),
      () => x.matmul(y),
      () => x.matmul(input("w", f32([4, 3]))),
      () => x.matmul(vector),
      () => x.reshape([5]),
      () => x.transpose([0, 0]),
      () => x.expand([4, 3]),
      () => x.expand([1, 3]),
      () => x.slice(1, 2, 5),
      () => x.split(1, [1, 1]),
      () => o.concat([x, input("z", f32([2, 4]))], 0),
      () => x.sum([2]),
      () => x.dims("B T D"),
    ]),
  ).toMatchInlineSnapshot(`
    "[shape] add: f32[2,3] and f32[4,3] differ on axis 0: 2 against 4
      help: reshape one of them so that the axis is 1
    [dtype] add: f32[2,3] and i32[2] differ in type
      help: cast one of them
    [dtype] where: the condition is f32[2,3], not bool
    [shape] matmul: f32[2,3] by f32[4,3]: inner sizes 3 and 4 differ
      help: the right side looks transposed: use w.T
    [shape] matmul: f32[2,3] by f32[4,3]: inner sizes 3 and 4 differ
      help: the right side looks transposed: use w.T
    [shape] matmul: f32[2,3] by f32[3]: both sides need two axes or more
      help: reshape a vector to [1, n] or [n, 1]
    [shape] reshape: f32[2,3] holds 6 elements, [5] 5
    [shape] transpose: [0,0] is no order of the axes of f32[2,3]
    [shape] expand: f32[2,3] and f32[4,3] differ on axis 0: 2 against 4
      help: reshape one of them so that the axis is 1
    [shape] expand: f32[2,3] does not repeat to [1,3]
    [shape] slice: 2 to 5 of axis 1 is outside f32[2,3]
    [shape] split: pieces 1 + 1 do not make axis 1 of f32[2,3]
    [shape] concat: f32[2,3] and f32[2,4] differ off axis 0
    [shape] sum: f32[2,3] has no axis 2
    [shape] expected 3 axes (B T D), got f32[2,3]"
  `);
});

test("ops of a network say which input has the wrong form", async () => {
  const q = input("q", f32([1, 2, 3, 4]));
  expect(
    await said([
      () => x.gather(x),
      () => constant(1, f32([])).gather(whole),
      () => o.scatterAdd(x, whole, y),
      () => x.gatherLast(input("three", i32([3]))),
      () => o.sliceAt(x, whole, { axis: 0, count: 1 }),
      () => o.sliceAt(x, constant(0, i32([])), { axis: 1, count: 4 }),
      () => o.crossEntropy(x, input("three", i32([3]))),
      () => o.layerNorm(x, input("gain", f32([2])), vector, { epsilon: 1e-5 }),
      () => o.attention(q, x, q, constant(0, f32([])), { scale: 1 }),
      () => o.attention(q, q, q, q, { scale: 1 }),
      () => o.rotary(q, whole, { base: 1e4 }),
      () => o.uniform(whole, { shape: [2], stream: 1 }),
      () => o.dropout(x, seed, { rate: 1, stream: 1 }),
    ]),
  ).toMatchInlineSnapshot(`
    "[dtype] gather: indices are f32[2,3], not whole numbers
    [shape] gather: a scalar has no rows
    [shape] scatterAdd: i32[2] into f32[2,3] needs updates [2,3], got f32[4,3]
    [shape] gatherLast: one index for each of [2] is needed, got [3]
    [dtype] sliceAt: the index is i32[2], not i32[]
    [shape] sliceAt: [2,4] is no part of f32[2,3] along axis 1
    [shape] crossEntropy: logits f32[2,3] and labels i32[3] are not [N V] and [N]
    [shape] layerNorm: f32[2,3] needs a gain of [3], got f32[2]
    [shape] attention: q f32[1,2,3,4], k f32[2,3], v f32[1,2,3,4] are not [B H T D], [B G S D], [B G S E] with H a multiple of G
    [shape] attention: f32[1,2,3,4] and f32[1,2,3,3] differ on axis 3: 4 against 3
      help: reshape one of them so that the axis is 1
    [shape] rotary: x f32[1,2,3,4] is not [B H T D] with D even, or positions i32[2] not [B T]
    [dtype] uniform: the seed is i32[2], not u32[]
    [attribute] dropout: rate 1 is not in [0, 1)"
  `);
});

test("leaves and values say what they hold and what was given", async () => {
  const scope = new Scope();
  scope.at("h").param("weight", [2], zeros);
  const fed = (name: string, shape: number[]) => new Map([[name, { shape, data: new Float64Array(6) }]]);
  expect(
    await said([
      () => nd("f32", [2, 2], [1, 2, 3]),
      () => constant([1, 2, 3], f32([2])),
      () => scope.at("h").param("weight", [2], zeros),
      () => evaluate([x], new Map()),
      () => evaluate([x], fed("x", [3, 2])),
      () =>
        evaluate(
          [x.gather(whole)],
          new Map([...fed("x", [2, 3]), ["whole", { shape: [2], data: Float64Array.of(0, 7) }]]),
        ),
      () => grad(x, [x]),
      () => param("w", [4, 3], zeros).matmul(x.T).add(vector),
    ]),
  ).toMatchInlineSnapshot(`
    "[shape] f32[2,2] holds 4 elements, got 3 values
    [shape] constant f32[2] holds 2 elements, got 3
    [path] parameter h.weight is declared twice: f32[2]
      help: pass the tensor to tie weights
    [feed] no value for input x: f32[2,3]
    [feed] x is f32[2,3], got a value of shape [3,2]
    [feed] gather: index 7 is outside 0 to 1
    [scalar] grad needs a scalar, got f32[2,3]
      help: take .sum() or .mean() first
    [shape] add: f32[4,2] and f32[3] differ on axis 1: 2 against 3
      at w
      help: reshape one of them so that the axis is 1"
  `);
});

test("a schedule says which number is out of range", async () => {
  const base: ScheduleOptions = { kind: "cosine", learningRate: 1e-3, steps: 10 };
  expect(
    await said([
      () => schedule({ ...base, kind: "cosin" as never }),
      () => schedule({ ...base, learningRate: -1 }),
      () => schedule({ ...base, warmupSteps: 11 }),
      () => schedule({ ...base, decaySteps: 11 }),
      () => schedule({ ...base, finalShare: 2 }),
    ]),
  ).toMatchInlineSnapshot(`
    "[config] no schedule cosin
      help: one of constant, linear, cosine, warmup-stable-decay
    [config] learningRate is -1
      help: give a number above 0
    [config] warmupSteps is 11, of 10 steps
      help: warm up over a part of the run
    [config] decaySteps is 11, of 10 steps
      help: decay over a part of the run
    [config] finalShare is 2
      help: give a share from 0 to 1"
  `);
});
