/** Does an engine compute what the definitions say? Three training steps of a small network, compared with float64. */
import { grad } from "../grad/index.js";
import {
  constant,
  evaluate,
  exact,
  f32,
  i32,
  input,
  type Nd,
  nd,
  type Program,
  param,
  type Shape,
  size,
} from "../ir/index.js";
import { crossEntropy, gelu, layerNorm } from "../ops/index.js";
import type { Engine } from "../runtime/index.js";

/** What three steps gave. */
export interface SelfTest {
  readonly passed: boolean;
  /** Largest difference of a loss or a weight from the float64 answer. */
  readonly difference: number;
  readonly milliseconds: number;
}

const [rows, width, classes, steps] = [8, 16, 5, 3];
// single precision keeps seven digits; three steps lose about one
const tolerance = 1e-4;

const wave = (shape: Shape, phase: number): Nd =>
  nd(
    "f32",
    shape,
    Float64Array.from({ length: size(shape) }, (_, i) => Math.sin(i * 1.7 + phase) / 2),
  );

function network(): Program {
  const zeros = (shape: Shape) => new Float32Array(size(shape));
  const [inside, outside] = [param("inside", [width, width], zeros), param("outside", [width, classes], zeros)];
  const x = input("x", f32([rows, width]));
  const ones = constant(1, f32([width]));
  const [normal] = layerNorm(gelu(x.matmul(inside)), ones, constant(0, f32([width])), { epsilon: 1e-5 });
  const [losses] = crossEntropy(normal.matmul(outside), input("labels", i32([rows])));
  const loss = losses.mean();
  const weights = { inside, outside };
  const gradients = grad(loss, Object.values(weights));
  const next = Object.entries(weights).map(([name, w], i) => [name, w.sub(gradients[i]!.mul(0.5))] as const);
  return { outputs: { loss }, next: Object.fromEntries(next) };
}

function answers(
  program: Program,
  state: ReadonlyMap<string, Nd>,
  feeds: Readonly<Record<string, Nd>>,
): Float64Array[] {
  const fed = Object.entries(feeds).map(([name, value]) => [name, exact(value)] as const);
  let weights = new Map([...state].map(([name, value]) => [name, exact(value)] as const));
  const losses: Float64Array[] = [];
  const names = Object.keys(program.next);
  for (let step = 0; step < steps; step++) {
    const roots = [program.outputs["loss"]!, ...names.map((name) => program.next[name]!)];
    const [loss, ...updated] = evaluate(roots, new Map([...weights, ...fed]));
    losses.push(loss!.data);
    weights = new Map(names.map((name, i) => [name, updated[i]!] as const));
  }
  return [...losses, ...names.map((name) => weights.get(name)!.data)];
}

/** Run the network on an engine and compare. Throws what the engine throws. */
export async function selfTest(engine: Engine): Promise<SelfTest> {
  const program = network();
  const state = new Map([
    ["inside", wave([width, width], 0)],
    ["outside", wave([width, classes], 1)],
  ]);
  const labels = Float64Array.from({ length: rows }, (_, i) => i % classes);
  const feeds = { x: wave([rows, width], 2), labels: nd("i32", [rows], labels) };
  const start = performance.now();
  await using session = await engine.open(state);
  const got: Float64Array[] = [];
  for (let step = 0; step < steps; step++) got.push(exact((await session.run(program, feeds))["loss"]!).data);
  for (const name of Object.keys(program.next)) got.push(exact(await session.read(name)).data);
  const milliseconds = performance.now() - start;
  const wanted = answers(program, state, feeds);
  const gaps = wanted.flatMap((values, i) => Array.from(values, (v, j) => Math.abs(v - got[i]![j]!)));
  // NaN fails: Math.max keeps it and no comparison with it holds
  const difference = Math.max(...gaps);
  return { passed: difference <= tolerance, difference, milliseconds };
}
