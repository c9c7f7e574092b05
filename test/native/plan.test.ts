/** Plans as text: what is fused, what is a view, and what shares memory. */
import { describe, expect, test } from "vitest";
import { f32, i32, input, type Program, param, type Tensor } from "../../src/ir/index.js";
import { concat, split } from "../../src/ops/index.js";
import { planOf, printPlan } from "../../src/runtime/native/plan.js";
import { collapsed, refined, reshaped } from "../../src/runtime/native/strides.js";

const text = (program: Program): string => printPlan(planOf(program, () => 0));
const outputs = (values: Record<string, Tensor>): Program => ({ outputs: values, next: {} });
const zeros = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1));
const x = input("x", f32([4, 6]));

test("a chain and the sum that ends it are one instruction", () => {
  const y = x.tanh().mul(2).add(1);
  expect(text(outputs({ y, all: y.square().sum() }))).toMatchInlineSnapshot(`
    "arena of 0 bytes
    0 map: add f32[4,6], sumSquare f32[] <- input x -> output y, output all"
  `);
});

test("concatenations that share a part do not wait for each other", () => {
  const shared = x.tanh();
  const [first] = split(concat([shared, x.mul(0.5)], 0), { axis: 0, sizes: [4, 4] });
  const plan = text(outputs({ y: concat([shared, first!.mul(0.5)], 0), z: first!.square() }));
  expect(plan.match(/tanh/g)).toHaveLength(1);
  expect(plan).toContain("output y");
});

test("a bias and an activation are done where the product is in the cache", () => {
  const w = param("w", [6, 5], zeros);
  const b = param("b", [5], zeros);
  expect(text(outputs({ y: x.matmul(w).add(b).relu() }))).toMatchInlineSnapshot(`
    "arena of 0 bytes
    0 matmul: matmul f32[4,5] <- input x, state w, state b -> output y"
  `);
});

test("what only moves elements costs nothing, and parts are computed where the whole has them", () => {
  const [a, b] = x.reshape([2, 2, 6]).transpose([1, 0, 2]).split(0, [1, 1]) as [Tensor, Tensor];
  expect(text(outputs({ y: concat([b.exp(), a.neg()], 0) }))).toMatchInlineSnapshot(`
    "arena of 0 bytes
    0 map: exp f32[1,2,6] <- input x -> output y
    1 map: neg f32[1,2,6] <- input x -> output y"
  `);
});

test("the state is updated in place where nobody needs what it was, after the outputs", () => {
  const w = param("w", [6], zeros);
  const v = param("v", [6], zeros);
  const program: Program = { outputs: { y: x.mul(w).sum() }, next: { w: w.mul(0.5).add(v), v: w } };
  expect(text(program)).toMatchInlineSnapshot(`
    "arena of 64 bytes
    0 map: sum f32[] <- input x, state w -> output y
    1 map: param f32[6] <- state w -> @0
    -- the state is written from here on
    2 map: add f32[6] <- state w, state v -> state w
    3 map: param f32[6] <- @0 -> state v"
  `);
});

test("an index is looked at before anything is computed", () => {
  const ids = input("ids", i32([3]));
  expect(text(outputs({ y: param("table", [9, 4], zeros).exp().gather(ids) }))).toMatchInlineSnapshot(`
    "arena of 192 bytes
    0 checkIndices: input i32[3] <- input ids -> 
    1 map: exp f32[9,4] <- state table -> @0
    2 gather: gather f32[3,4] <- input ids, @0 -> output y"
  `);
});

describe("strides", () => {
  test("say another shape where the elements follow one another, and only there", () => {
    expect(reshaped({ shape: [4, 6], strides: [6, 1] }, [2, 2, 3, 2])).toEqual([12, 6, 2, 1]);
    expect(reshaped({ shape: [4, 6], strides: [1, 4] }, [2, 2, 6])).toEqual([2, 1, 4]);
    expect(reshaped({ shape: [4, 6], strides: [1, 4] }, [24])).toBeUndefined();
    expect(reshaped({ shape: [4, 6], strides: [0, 1] }, [2, 2, 6])).toEqual([0, 0, 1]);
    expect(reshaped({ shape: [0, 6], strides: [6, 1] }, [2, 0])).toEqual([0, 0]);
    expect(reshaped({ shape: [1, 6], strides: [9, 1] }, [6, 1])).toEqual([1, 0]);
  });
  test("of two shapes have the axes of both, or none", () => {
    expect(refined([1024, 384], [4, 256, 384])).toEqual([4, 256, 384]);
    expect(refined([4, 6], [2, 2, 3, 2])).toEqual([2, 2, 3, 2]);
    expect(refined([4, 6], [6, 4])).toBeUndefined();
    expect(refined([], [1, 1])).toEqual([]);
  });
  test("that every operand takes alike are one axis", () => {
    expect(collapsed([4, 1, 6], [[6, 9, 1]])).toEqual([24]);
    expect(
      collapsed(
        [4, 6],
        [
          [6, 1],
          [0, 1],
        ],
      ),
    ).toEqual([4, 6]);
    expect(collapsed([4, 6], [[6, 1]], () => true)).toEqual([4, 6]);
  });
});
