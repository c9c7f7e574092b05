/** What the native engine refuses: what it cannot compute, has no memory for, or was given wrongly; and it is there afterwards. */
import { expect, test } from "vitest";
import { f32, i32, input, nd, type PlinthError, type Program, param } from "../../src/ir/index.js";
import { linearCrossEntropy } from "../../src/ops/index.js";
import { native, nativeEngine } from "../../src/runtime/index.js";
import { loadAddon } from "../../src/runtime/native/addon.js";
import { encode, planOf } from "../../src/runtime/native/plan.js";
import { feeds, step } from "./model.js";

const { addon } = loadAddon();
const whole = input("n", i32([4]));
const w = param("w", [], () => new Float32Array(1));
const state = new Map([["w", nd("f32", [], 2)]]);
const message = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "no error",
    (e: PlinthError) => `${e.code}: ${e.message}`,
  );
const refused = async (program: Program, values = {}): Promise<string> => {
  await using session = await native.open(state);
  const told = await message(session.run(program, values));
  const fine: Program = { outputs: { y: w.mul(3) }, next: {} };
  expect((await session.run(fine))["y"]!.data[0]).toBe(6);
  return told;
};
const outputs = (y: typeof w): Program => ({ outputs: { y }, next: {} });

test.runIf(addon)("arithmetic that it does not have is named, with what to do", async () => {
  const n = { n: nd("i32", [4], 3) };
  expect(await refused(outputs(whole.sqrt()), n)).toMatch(
    /engine: the native engine has no sqrt of i32\n.*cast to f32/,
  );
  expect(await refused(outputs(whole.sum()), n)).toMatch(
    /engine: the native engine reduces f32, not i32\n.*cast to f32/,
  );
});

test.runIf(addon)("memory that is not there is said before it is asked for", async () => {
  const wide = w.expand([60_000, 60_000]);
  expect(await refused(outputs(wide.matmul(wide).matmul(wide).tanh().sum()))).toMatch(
    /memory: a run of this program needs [\d,]+ MB beside its state, and [\d,]+ MB are free\n.*smaller batches/,
  );
  expect(
    await refused(
      outputs(
        w
          .expand([2 ** 17, 2 ** 17])
          .add(1)
          .sum(),
      ),
    ),
  ).toMatch(/engine: the native engine counts to 2³² elements, not to 17179869184/);
});

test.runIf(addon)("a limit that nothing fits says what is needed at the least", async () => {
  const { program, state: first } = step();
  await using session = await nativeEngine({ fused: true, memory: 1000 }).open(first);
  expect(await message(session.run(program, feeds(1)))).toMatch(
    /memory: the program's values take [\d,]+ MB at the least, and 1 MB are allowed/,
  );
});

test("a head whose sizes do not fit is named", () => {
  const [h, v, labels] = [input("h", f32([4, 3])), input("v", f32([5, 3])), input("labels", i32([4]))];
  expect(() => linearCrossEntropy(h, v, input("b", f32([6])), labels)).toThrow(
    /linearCrossEntropy: .* are not \[N D\], \[V D\], \[V\] and \[N\]/,
  );
});

test.runIf(addon)("a run that is given up while it computes ends, and leaves the state as it was", async () => {
  const m = param("m", [700, 700], () => new Float32Array(490_000));
  let y = m;
  for (let i = 0; i < 60; i++) y = y.matmul(m);
  const long: Program = { outputs: {}, next: { m: y } };
  await using session = await native.open(new Map([["m", nd("f32", [700, 700], 1e-3)]]));
  const controller = new AbortController();
  const run = session.run(long, {}, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await expect(run).rejects.toThrow("enough");
  expect((await session.read("m")).data[0]).toBeCloseTo(1e-3, 9);
  await session.run(long);
  expect((await session.read("m")).data[0]).not.toBeCloseTo(1e-3, 9);
});

test.runIf(addon)("the event loop is free while it computes: a 20 ms timer keeps firing", async () => {
  const m = param("m", [1024, 1024], () => new Float32Array(2 ** 20));
  let y = m;
  for (let i = 0; i < 120; i++) y = y.matmul(m);
  const long: Program = { outputs: {}, next: { m: y } };
  await using session = await native.open(new Map([["m", nd("f32", [1024, 1024], 0)]]));
  const ticks = [performance.now()];
  const timer = setInterval(() => ticks.push(performance.now()), 20);
  await session.run(long);
  await session.run(long);
  clearInterval(timer);
  const gaps = ticks.slice(1).map((t, i) => t - ticks[i]!);
  const taken = performance.now() - ticks[0]!;
  expect(taken).toBeGreaterThan(100);
  expect(Math.max(...gaps)).toBeLessThan(Math.max(150, taken / 4));
});

test.runIf(addon)("a plan that was cut, changed or made up is an error and never a crash", () => {
  const { program } = step();
  const numbers = new Map<string, number>();
  const numbering = {
    kernel: (name: string) => addon!.kernels().indexOf(name),
    op: (name: string) => addon!.ops().indexOf(name),
    state: (name: string) => numbers.get(name) ?? numbers.set(name, numbers.size).size - 1,
  };
  const { words, constants } = encode(planOf(program, numbering.op), numbering);
  const session = new addon!.Session(2);
  expect(session.load(words, constants).id).toBe(0);
  let refusals = 0;
  const load = (changed: Uint32Array) => {
    try {
      session.load(changed, constants);
    } catch (e) {
      expect(e).toBeInstanceOf(Error);
      refusals++;
    }
  };
  for (let end = 0; end < words.length; end += 37) load(words.slice(0, end));
  expect(refusals).toBe(Math.ceil(words.length / 37));
  for (let at = 0; at < words.length; at += 11)
    for (const value of [0xffffffff, 0x7fffffff, words[at]! + 1]) {
      const changed = words.slice();
      changed[at] = value;
      load(changed);
    }
  // most numbers are sizes, strides and slots; those that are not may be anything
  expect(refusals).toBeGreaterThan(words.length / 11);
  session.close();
  expect(() => session.load(words, constants)).toThrow(/closed/);
});
