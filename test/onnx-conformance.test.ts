/** The ONNX project's own test cases (onnx 1.17, backend/test/data), for every operator that our ops say. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  constant,
  exact,
  input,
  inputs,
  type Nd,
  nameOf,
  nd,
  PlinthError,
  type Program,
  type Tensor,
} from "../src/ir/index.js";
import { ortEngine, reference, type Session } from "../src/runtime/index.js";
import { rules } from "./onnx-import.js";
import { modelOf, type OnnxGraph, tensorOf, untar } from "./onnx-reader.js";
import { shared } from "./shared.js";

interface Case {
  readonly name: string;
  readonly program: Program;
  readonly feeds: Readonly<Record<string, Nd>>;
  readonly want: Readonly<Record<string, Nd>>;
}

/** A case as a program of ours, or undefined where it uses what we do not have. */
function caseOf(name: string, files: ReadonlyMap<string, Uint8Array>): Case | undefined {
  const graph = modelOf(files.get(`${name}/model.onnx`)!);
  // first of all: others have inputs that are no tensors
  if (!graph.nodes.every(({ type, domain }) => !domain && (rules[type] || type === "Constant" || type === "Shape")))
    return undefined;
  const read = (kind: string, i: number) => {
    const bytes = files.get(`${name}/test_data_set_0/${kind}_${i}.pb`);
    return bytes && tensorOf(bytes);
  };
  const values = graph.inputs.map((_, i) => read("input", i));
  const wanted = graph.outputs.map((_, i) => read("output", i));
  if ([...values, ...wanted, ...graph.constants.values()].some((x) => !x)) return undefined;
  const feeds = Object.fromEntries(graph.inputs.map((name, i) => [name, values[i]!]));
  const outputs = outputsOf(graph, feeds);
  return (
    outputs && {
      name,
      program: { outputs, next: {} },
      feeds,
      want: Object.fromEntries(graph.outputs.map((o, i) => [o, wanted[i]!])),
    }
  );
}

/** The graph's outputs in our ops. */
function outputsOf(graph: OnnxGraph, feeds: Readonly<Record<string, Nd>>): Record<string, Tensor> | undefined {
  const known = new Map<string, Nd>([...Object.entries(feeds), ...(graph.constants as ReadonlyMap<string, Nd>)]);
  const tensors = new Map<string, Tensor>();
  const fixed = (x: Nd) => constant(exact(x).data, { dtype: x.dtype, shape: x.shape });
  for (const [name, x] of Object.entries(feeds)) tensors.set(name, input(name, { dtype: x.dtype, shape: x.shape }));
  for (const [name, x] of graph.constants) tensors.set(name, fixed(x!));
  for (const node of graph.nodes) {
    const rule = rules[node.type];
    const made = constantOf(node, tensors);
    if (made) known.set(node.outputs[0]!, made);
    const xs = node.inputs.map((name) => tensors.get(name)!);
    if (!made && (!rule || xs.some((x) => x?.dtype === "f16"))) return undefined;
    const result = made
      ? fixed(made)
      : rule!({ node, opset: graph.opset, xs, known: (i) => known.get(node.inputs[i] ?? "") });
    if (!result) return undefined;
    [result].flat().forEach((t, i) => {
      tensors.set(node.outputs[i] ?? "", t);
    });
  }
  const found = graph.outputs.map((name) => [name, tensors.get(name)] as const);
  return found.every(([, t]) => t) ? (Object.fromEntries(found) as Record<string, Tensor>) : undefined;
}

/** What a node makes when the graph is built: a constant, or a shape. */
function constantOf(
  { type, attrs, inputs: from }: OnnxGraph["nodes"][number],
  tensors: ReadonlyMap<string, Tensor>,
): Nd | undefined {
  if (type === "Constant") {
    if (attrs["value"]) return attrs["value"] as Nd;
    if (attrs["value_int"] !== undefined) return nd("i64", [], attrs["value_int"] as number);
    if (attrs["value_float"] !== undefined) return nd("f32", [], attrs["value_float"] as number);
    const list = attrs["value_ints"] as number[] | undefined;
    return list && nd("i64", [list.length], list);
  }
  const x = type === "Shape" && attrs["start"] === undefined && attrs["end"] === undefined && tensors.get(from[0]!);
  return x ? nd("i64", [x.shape.length], x.shape) : undefined;
}

/** The tolerance of the ONNX project's own runner. */
const close = (got: number, want: number) =>
  Object.is(got, want) || got === want || Math.abs(got - want) <= 1e-7 + 1e-3 * Math.abs(want);

function expectConforms(engine: string, got: Readonly<Record<string, Nd>>, want: Readonly<Record<string, Nd>>): void {
  for (const [name, value] of Object.entries(want)) {
    const found = got[name]!;
    expect({ engine, dtype: found.dtype, shape: found.shape }).toEqual({
      engine,
      dtype: value.dtype,
      shape: value.shape,
    });
    const [a, b] = [exact(found).data, exact(value).data];
    const wrong = b.findIndex((w, i) => !close(a[i]!, w));
    if (wrong >= 0) expect.fail(`${engine}: ${name}[${wrong}] is ${a[wrong]}, ONNX says ${b[wrong]}`);
  }
}

const folder = shared("conformance_onnx");
const files = folder ? untar(`${folder}/onnx_cases.tar.gz`) : new Map<string, Uint8Array>();
const names = [...files.keys()].filter((p) => p.endsWith("/model.onnx")).map((p) => p.slice(0, -"/model.onnx".length));
const refused: string[] = [];
const cases = names.flatMap((name): Case[] => {
  try {
    const found = caseOf(name, files);
    return found ? [found] : [];
  } catch (e) {
    // what an op's type rule refuses (integers divided, say) is outside what we claim
    if (!(e instanceof PlinthError)) throw e;
    refused.push(`${name}: ${e.what}`);
    return [];
  }
});

let sessions: Record<string, Session>;
beforeAll(async () => {
  const standard = await ortEngine({ contrib: false }).open(new Map(), { threads: 1 });
  sessions = { reference: await reference.open(new Map()), ort: standard };
});
afterAll(async () => {
  for (const session of Object.values(sessions)) await session[Symbol.asyncDispose]();
});

test.skipIf(!folder)("a stated number of the ONNX project's cases is ours to run", () => {
  console.log(
    `ONNX conformance: ${cases.length} of ${names.length} cases run; ${refused.length} refused by a type rule`,
  );
  expect(cases.length).toBeGreaterThanOrEqual(450);
});

test.skipIf(!folder).each(cases)("$name gives what ONNX says on both engines", async ({ program, feeds, want }) => {
  // an input that gave a shape or an axis is no input of the graph
  const fed = Object.fromEntries(inputs(program).map((t) => [nameOf(t), feeds[nameOf(t)]!]));
  for (const [engine, session] of Object.entries(sessions))
    expectConforms(engine, await session.run(program, fed), want);
});
