/** Random programs on the native engine: whatever is fused with whatever, the numbers are the reference's. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  constant,
  f32,
  input,
  inputs,
  type Nd,
  nameOf,
  nd,
  type Program,
  param,
  type Tensor,
} from "../../src/ir/index.js";
import { attention, concat, layerNorm, split, where } from "../../src/ops/index.js";
import { native, nativeEngine, reference, type Session } from "../../src/runtime/index.js";

const present = (await native.probe()).available;
type Make = (x: Tensor, y: Tensor) => Tensor;

/** Each takes two tensors of one shape [a b c] to one of that shape. */
const makes: Record<string, Make> = {
  add: (x, y) => x.add(y),
  product: (x, y) => x.mul(y.sigmoid()),
  row: (x, y) => x.add(y.sum([0, 1])),
  column: (x, y) => x.mul(y.mean([2], { keep: true })),
  peak: (x, y) => x.sub(y.max([2], { keep: true })),
  all: (x, y) => x.mul(y.sum().tanh()),
  choice: (x, y) => where(x.less(y), x, y.neg()),
  softmax: (x, y) => x.softmax().add(y),
  turned: (x, y) => x.transpose([2, 0, 1]).tanh().transpose([1, 2, 0]).add(y),
  flat: (x, y) =>
    x
      .reshape([x.shape[0]! * x.shape[1]!, x.shape[2]!])
      .relu()
      .reshape(x.shape)
      .mul(y),
  halves: (x, y) => concat([x.slice(1, 0, 1), y.slice(1, 1, y.shape[1]!)], 1).mul(0.5),
  joined: (x, y) => {
    const sizes = [x.shape[1]!, x.shape[1]!];
    return split(concat([x.tanh(), y.mul(0.5)], 1), { axis: 1, sizes })[0]!;
  },
  gram: (x, y) => x.matmul(y.T).tanh().matmul(y).mul(0.1),
  weights: (x, y) => x.matmul(x.T.matmul(y).tanh()).mul(0.1),
  norm: (x, y) => layerNorm(x, constant(1.5, f32([x.shape[2]!])), y.sum([0, 1]).mul(0.1), { epsilon: 1e-3 })[0],
  attend: (x, y) => {
    const four = (t: Tensor) => t.reshape([1, ...t.shape]);
    return attention(four(x), four(y), four(y), constant(0, f32([])), { scale: 0.3 })[0].reshape(x.shape);
  },
};

const shapes = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 19 }),
  fc.integer({ min: 1, max: 35 }),
);
const lines = fc.array(fc.record({ make: fc.constantFrom(...Object.keys(makes)), x: fc.nat(), y: fc.nat() }), {
  minLength: 1,
  maxLength: 12,
});
const states = ["p", "q"] as const;
const written = fc.record({ p: fc.option(fc.nat()), q: fc.option(fc.nat()) });
const programs = fc.record({ shape: shapes, lines, kept: fc.array(fc.nat(), { maxLength: 3 }), written });

function built({
  shape,
  lines: steps,
  kept,
  written: to,
}: typeof programs extends fc.Arbitrary<infer P> ? P : never): Program {
  const values: Tensor[] = [
    ...["a", "b"].map((name) => input(name, f32(shape))),
    ...states.map((name) => param(name, shape, () => new Float32Array(shape[0] * shape[1] * shape[2]))),
  ];
  const at = (n: number) => values[n % values.length]!;
  for (const { make, x, y } of steps) values.push(makes[make]!(at(x), at(y)));
  const outputs = Object.fromEntries(kept.map((n, i) => [`kept${i}`, at(n)]));
  const next = Object.fromEntries(states.flatMap((name) => (to[name] === null ? [] : [[name, at(to[name])]])));
  return { outputs: { ...outputs, last: values.at(-1)!, sum: values.at(-1)!.sum() }, next };
}

test.runIf(present)("a random program gives the reference's numbers, fused and one op at a time", async () => {
  const oracle = await reference.open(new Map());
  const sessions = await Promise.all(
    [native, nativeEngine({ fused: false })].map((e) => e.open(new Map(), { threads: 2 })),
  );
  await fc.assert(
    fc.asyncProperty(programs, async (made) => {
      const program = built(made);
      const n = made.shape.reduce((a, b) => a * b, 1);
      const wave = (f: number) =>
        nd(
          "f32",
          made.shape,
          Array.from({ length: n }, (_, i) => Math.sin(i * f + f)),
        );
      const feeds = { a: wave(0.7), b: wave(1.3) };
      const asked = new Set(inputs(program).map(nameOf));
      const wanted = Object.fromEntries(Object.entries(feeds).filter(([name]) => asked.has(name)));
      const run = async (session: Session) => {
        for (const [i, name] of states.entries()) await session.write(name, wave(0.4 + i / 2));
        const outputs = await session.run(program, wanted);
        const [p, q] = [await session.read("p"), await session.read("q")];
        return { ...outputs, p, q };
      };
      const want = await run(oracle);
      for (const session of sessions) {
        const got: Readonly<Record<string, Nd>> = await run(session);
        for (const [name, { data }] of Object.entries(want)) {
          const numbers = Array.from(data as Float32Array);
          const most = Math.max(1, ...numbers.map(Math.abs));
          numbers.forEach((x, i) => {
            // single precision through a dozen ops; a comparison may fall either way at a tie, which sines do not have
            expect(Math.abs(Number(got[name]!.data[i]) - x) / most).toBeLessThan(2e-4);
          });
        }
      }
    }),
    { numRuns: 120, seed: 7 },
  );
  for (const session of [oracle, ...sessions]) await session[Symbol.asyncDispose]();
});
