/** Where nodes are made: the line that a user or a model wrote, through gradients and passes. */
import { expect, test } from "vitest";
import { grad } from "../src/grad/index.js";
import { f32, i32, input, type Node, nodes, param, Scope, type Tensor, traced } from "../src/ir/index.js";
import { families, gptConfig } from "../src/models/index.js";
import { ones } from "../src/nn/index.js";
import { gelu } from "../src/ops/index.js";
import { dedupe, fold, prepare } from "../src/passes/index.js";

const layer = () => {
  const x = input("x", f32([4, 8]));
  const w = param("w", [8, 8], ones);
  return { w, loss: gelu(x.matmul(w)).mul(2).sum() };
};
const computed = (roots: readonly Tensor[]): Node[] => nodes(roots).filter((node) => node.inputs.length > 0);
const lines = (roots: readonly Tensor[]) => new Set(computed(roots).map(({ at }) => at));

test("a node knows the line that made it where it is traced, and only there", () => {
  const { loss } = traced(layer);
  expect(lines([loss])).toEqual(new Set(["test/traced.test.ts:13"]));
  expect(lines([layer().loss])).toEqual(new Set([undefined]));
});

test("a model's nodes are of its own lines, not of the layers it is made of", () => {
  const config = gptConfig.parse({ vocabSize: 11, contextLength: 8, layers: 1, heads: 2, hiddenSize: 8 });
  const hidden = traced(() => families.gpt.body(new Scope(), { ids: input("ids", i32([2, 8])) }, config));
  for (const at of lines([hidden])) expect(at).toMatch(/^src\/models\/gpt\.ts:\d+$/);
  expect(lines([hidden]).size).toBeGreaterThan(5);
});

test("a gradient is of the line of its value, whoever asks for it", () => {
  const { loss, w } = traced(layer);
  const own = new Set(computed([loss]));
  const backward = computed(grad(loss, [w])).filter((node) => !own.has(node));
  expect(backward.length).toBeGreaterThan(3);
  expect(new Set(backward.map(({ at }) => at))).toEqual(new Set(["test/traced.test.ts:13"]));
});

test("what is lowered, folded and merged stays of the line that it was of", () => {
  const { loss, w } = traced(layer);
  const roots = [loss, ...grad(loss, [w])];
  const known = lines(roots);
  expect(lines(fold(dedupe(roots)))).toEqual(known);
  const lowered = prepare({ outputs: { loss }, next: {} }, (op) => !op.lower);
  const found = Object.values(lowered.outputs);
  expect(computed(found).map(({ op }) => op.name)).not.toContain("gelu");
  expect(lines(found)).toEqual(known);
});
