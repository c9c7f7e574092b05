/** What a program looks like as an ONNX model: read back with a reader of our own. */
import { describe, expect, test } from "vitest";
import { constant, f32, input, PlinthError, type Program, param, type Tensor } from "../src/ir/index.js";
import { emit } from "../src/onnx/index.js";
import { dropout, gelu } from "../src/ops/index.js";
import { modelOf } from "./onnx-reader.js";

const zeros = () => new Float32Array(4);
const w = param("h.0.weight", [2, 2], zeros);
const x = input("x", f32([2, 2]));
const program = (outputs: Record<string, Tensor>, next: Record<string, Tensor> = {}): Program => ({ outputs, next });
const text = (p: Program, contrib = false): string[] =>
  modelOf(emit(p, { contrib }).bytes).nodes.map((n) => `${n.outputs} = ${n.type}(${n.inputs})`);

describe("an emitted model", () => {
  test("calls leaves, outputs and next values by the program's names, and the rest after their op", () => {
    const p = program({ y: x.matmul(w).tanh() }, { "h.0.weight": w.add(x) });
    const model = modelOf(emit(p).bytes);
    expect(model.inputs).toEqual(["x", "h.0.weight"]);
    expect(model.outputs).toEqual(["y", "h.0.weight.next"]);
    expect(text(p)).toEqual([
      "matmul_0 = MatMul(x,h.0.weight)",
      "y = Tanh(matmul_0)",
      "h.0.weight.next = Add(h.0.weight,x)",
    ]);
  });

  test("says which model input and output is which value of the program", () => {
    const { params, inputs, outputs, next } = emit(program({ x: x.neg() }, { "h.0.weight": w.add(x) }));
    expect(params).toEqual({ "h.0.weight": w.type });
    expect(inputs).toEqual({ x: x.type });
    expect(outputs).toEqual({ x: "x_0" });
    expect(next).toEqual({ "h.0.weight": "h.0.weight.next" });
  });

  test("copies a result that is a leaf, a constant or another result", () => {
    const y = x.neg();
    expect(text(program({ a: y, b: y, c: w, d: constant([1, 2], f32([2])) }))).toEqual([
      "a = Neg(x)",
      "b = Identity(a)",
      "c = Identity(h.0.weight)",
      "d = Identity(constant_1)",
    ]);
  });

  test("holds equal constants once, and one number for a large constant that is the same everywhere", () => {
    const large = constant(0.5, f32([1000, 1000]));
    const p = program({
      y: x
        .mul(3)
        .add(constant([3, 3, 3, 3], f32([2, 2])))
        .add(x.mul(3)),
      large: large.neg(),
    });
    const { bytes } = emit(p);
    expect(modelOf(bytes).constants.size).toBe(3);
    expect(bytes.length).toBeLessThan(1500);
  });

  test("uses ONNX Runtime's own operators only when asked, and says so", () => {
    const p = program({ y: gelu(x) });
    expect(text(p)).toEqual(["y = Gelu(x)"]);
    expect(text(p, true)).toEqual(["y = FastGelu(x)"]);
    const domains = (contrib: boolean) => Buffer.from(emit(p, { contrib }).bytes).includes("com.microsoft");
    expect([domains(false), domains(true)]).toEqual([false, true]);
  });

  test("is the same bytes for the same program", () => {
    const build = () => emit(program({ y: gelu(x.matmul(w)).sum() })).bytes;
    expect(Buffer.compare(build(), build())).toBe(0);
  });

  test("is refused for an op without an ONNX form, which should have been lowered", () => {
    const seed = input("seed", { dtype: "u32", shape: [] });
    expect(() => emit(program({ y: dropout(x, seed, { rate: 0.5, stream: 0 }) }))).toThrow(
      /op dropout has no ONNX form\n.*lower the program/,
    );
  });

  test("is refused where one name is two leaves", () => {
    const other = param("x", [2, 2], zeros);
    expect(() => emit(program({ y: x.add(other) }))).toThrow(PlinthError);
    expect(() => emit(program({ y: x.add(other) }))).toThrow("x is both input f32[2,2] and param f32[2,2]");
  });
});
