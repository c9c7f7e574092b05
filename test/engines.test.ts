/** Every engine gives the same numbers as the reference, for every op and its gradient, and keeps state the same way. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/grad/index.js";
import {
  constant,
  type Dtype,
  f32,
  i32,
  input,
  isFloat,
  type Nd,
  nd,
  type PlinthError,
  type Program,
  param,
  size,
} from "../src/ir/index.js";
import { scatterAdd, table } from "../src/ops/index.js";
import {
  chooseEngine,
  type Engine,
  native,
  nativeEngine,
  ort,
  ortEngine,
  reference,
  type Session,
} from "../src/runtime/index.js";
import { present } from "./present.js";
import { type Case, cases, feeds, graph, uniform } from "./samples.js";

const zeros = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1));
const variants: Record<string, Engine> = {
  "ort with its own operators": ort,
  "ort with standard operators": ortEngine({ contrib: false }),
  // on a machine without a Rust toolchain it is not there
  ...((await native.probe()).available ? { native, "native, one op at a time": nativeEngine({ fused: false }) } : {}),
};

// float32 keeps 24 bits (6e-8); a sample adds up at most 33 products, ORT's tanh, erf and exp are good to about 1e-6, and
// the gradient of a normalisation divides a difference of near numbers by a small deviation
const tolerance = 1e-5;
function expectClose(name: string, got: Nd, want: Nd): void {
  expect({ name, dtype: got.dtype, shape: got.shape }).toEqual({ name, dtype: want.dtype, shape: want.shape });
  const exactly = want.dtype !== "f32";
  want.data.forEach((w, i) => {
    const [a, b] = [Number(got.data[i]), Number(w)];
    const error = Math.abs(a - b) / (1 + Math.abs(b));
    if (!(error <= (exactly ? 0 : tolerance))) expect.fail(`${name}[${i}] is ${a}, the reference says ${b}`);
  });
}

/** An op's sample as a program: its values `y0`, `y1`, … and, where one is defined, the gradient `g0`, `g1`, … of its inputs. */
function valueAndGradient(sample: Case): Program {
  const { xs, ys } = graph(sample);
  const outputs = Object.fromEntries(ys.map((y, i) => [`y${i}`, y]));
  if (!sample.grad) return { outputs, next: {} };
  // a composite's further outputs are there for its own gradient: only its first is differentiated
  const weighed = (sample.op.lower ? ys.slice(0, 1) : ys).map((y, i) => {
    const random = uniform(100 + i);
    return y
      .mul(
        constant(
          Array.from({ length: size(y.shape) }, () => random() * 2 - 1),
          y.type,
        ),
      )
      .sum();
  });
  const loss = weighed.reduce((a, b) => a.add(b));
  const gradients = grad(
    loss,
    xs.filter((x) => isFloat(x.dtype)),
  );
  return { outputs: { ...outputs, ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])) }, next: {} };
}

const samples = [...table.values()].flatMap((op) =>
  cases(op).map((sample, i) => {
    const values = feeds(op, i).map(({ shape, data }, k): [string, Nd] => [
      `x${k}`,
      nd(sample.types[k]!.dtype, shape, data),
    ]);
    return { name: sample.name, program: valueAndGradient(sample), values: Object.fromEntries(values) };
  }),
);

describe.each(Object.entries(variants))("%s", (_, engine) => {
  let session: Session;
  let oracle: Session;
  beforeAll(async () => {
    session = await engine.open(new Map(), { threads: 1 });
    oracle = await reference.open(new Map());
  });
  afterAll(async () => {
    await session[Symbol.asyncDispose]();
  });
  test.each(samples)("$name and its gradient are what the reference says", async ({ program, values }) => {
    const want = await oracle.run(program, values);
    const got = await session.run(program, values);
    for (const [name, value] of Object.entries(want)) expectClose(name, got[name]!, value);
  });
});

describe("on several threads, ort", () => {
  test("adds every update of a repeated index", async () => {
    const [rows, ids, updates] = [
      input("rows", f32([8, 384])),
      input("ids", i32([1024])),
      input("updates", f32([1024, 384])),
    ];
    const program: Program = { outputs: { y: scatterAdd(rows, ids, updates) }, next: {} };
    const repeated = nd(
      "i32",
      [1024],
      Array.from({ length: 1024 }, (_, i) => (i % 3 ? 0 : i % 8)),
    );
    const feeds = { rows: nd("f32", [8, 384], 0), ids: repeated, updates: nd("f32", [1024, 384], 1) };
    const counts = Array.from({ length: 8 }, (_, row) => repeated.data.filter((id) => id === row).length);
    await using session = await ort.open(new Map(), { threads: 4 });
    for (let run = 0; run < 20; run++) {
      const { y } = await session.run(program, feeds);
      expect(y!.data.every((v, i) => v === counts[Math.floor(i / 384)])).toBe(true);
    }
  });
});

const x = input("x", f32([2]));
const w = param("w", [2], zeros);
const step: Program = { outputs: { before: w, sum: w.add(x) }, next: { w: w.add(x) } };
const double: Program = { outputs: {}, next: { w: w.mul(2), copy: w } };
const one = nd("f32", [2], 1);
const opened = (engine: Engine) => engine.open(new Map([["w", nd("f32", [2], [1, 2])]]));
const code = async (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "no error",
    (e: PlinthError) => `${e.code}: ${e.message}`,
  );

describe.each(present)("state on the %s engine", (_, engine) => {
  test("is read by a run and then takes what next says", async () => {
    await using session = await opened(engine);
    const first = await session.run(step, { x: one });
    expect([...first["before"]!.data]).toEqual([1, 2]);
    expect([...first["sum"]!.data]).toEqual([2, 3]);
    expect([...(await session.read("w")).data]).toEqual([2, 3]);
  });

  test("is one for several programs, and calls keep their order without being awaited", async () => {
    await using session = await opened(engine);
    const runs = [session.run(step, { x: one }), session.run(double), session.run(step, { x: one }), session.read("w")];
    const last = (await Promise.all(runs))[3] as Nd;
    expect([...last.data]).toEqual([5, 7]);
    expect([...(await session.read("copy")).data]).toEqual([2, 3]);
    expect(session.names()).toEqual(["w", "copy"]);
  });

  test("is the caller's no longer: neither the opening state, a feed nor a result is shared", async () => {
    const state = new Map([["w", nd("f32", [2], [1, 2])]]);
    await using session = await engine.open(state);
    state.get("w")!.data[0] = 99;
    const feed = nd("f32", [2], 1);
    const running = session.run(step, { x: feed });
    feed.data[0] = 99;
    expect([...(await running)["sum"]!.data]).toEqual([2, 3]);
    (await session.read("w")).data[0] = 99;
    expect([...(await session.read("w")).data]).toEqual([2, 3]);
  });

  test("can be written, and a new name added", async () => {
    await using session = await engine.open(new Map());
    await session.write("w", nd("f32", [2], [5, 6]));
    await session.write("epoch", nd("i32", [], 3));
    await session.run(step, { x: one });
    expect([...(await session.read("w")).data]).toEqual([6, 7]);
    expect(await session.read("epoch")).toEqual(nd("i32", [], 3));
  });

  test("and feeds are asked for as the program names them, even what folding makes needless", async () => {
    const same: Program = { outputs: { y: x.mul(0).add(w).sub(x.mul(0)), zero: w.slice(0, 0, 0) }, next: {} };
    const unused: Program = {
      outputs: { y: scatterAdd(w, input("none", i32([0])), input("rows", f32([0]))) },
      next: {},
    };
    await using session = await opened(engine);
    expect([...(await session.run(same, { x: one }))["y"]!.data]).toEqual([1, 2]);
    expect(await code(session.run(same))).toMatch(/feed: no value for input x/);
    const empty = { none: nd("i32", [0], []), rows: nd("f32", [0], []) };
    expect([...(await session.run(unused, empty))["y"]!.data]).toEqual([1, 2]);
  });

  test("stays as it was when a run fails", async () => {
    const ids = input("ids", i32([1]));
    const risky: Program = { outputs: { row: w.gather(ids) }, next: { w: w.add(1) } };
    await using session = await opened(engine);
    await session.run(step, { x: nd("f32", [2], 0) });
    await expect(session.run(risky, { ids: nd("i32", [1], 7) })).rejects.toThrow(/7/);
    expect([...(await session.read("w")).data]).toEqual([1, 2]);
  });

  test("keeps every element type it is given", async () => {
    const types: readonly Dtype[] = ["f32", "f16", "i32", "i64", "u32", "bool"];
    await using session = await engine.open(new Map(types.map((dtype) => [dtype, nd(dtype, [2], [0, 1])])));
    for (const dtype of types) expect(await session.read(dtype)).toEqual(nd(dtype, [2], [0, 1]));
  });

  test("is gone once the session is closed", async () => {
    const session = await opened(engine);
    await session[Symbol.asyncDispose]();
    expect(await code(session.read("w"))).toMatch(/closed/);
    expect(await code(session.run(step, { x: one }))).toMatch(/closed/);
    await session[Symbol.asyncDispose]();
  });
});

describe.each(present)("a mistake on the %s engine is named", (_, engine) => {
  const wrong: [string, Record<string, Nd>, RegExp][] = [
    ["a missing feed", {}, /feed: no value for input x: f32\[2\]/],
    ["an unknown feed", { x: one, y: one }, /feed: the program has no input y\n.*its inputs are x/],
    ["a feed of another size", { x: nd("f32", [3], 1) }, /feed: input x is f32\[2\], got f32\[3\]/],
    ["a feed of another type", { x: nd("i32", [2], 1) }, /feed: input x is f32\[2\], got i32\[2\]/],
    [
      "a feed with too few elements",
      { x: { dtype: "f32", shape: [2], data: new Float32Array(1) } },
      /feed: input x is f32\[2\] but holds 1 elements/,
    ],
  ];
  test.each(wrong)("%s", async (_, feeds, message) => {
    await using session = await opened(engine);
    expect(await code(session.run(step, feeds))).toMatch(message);
  });
  test("a parameter that the state lacks or holds in another shape", async () => {
    await using session = await engine.open(new Map());
    expect(await code(session.run(step, { x: one }))).toMatch(/feed: the state has no parameter w: f32\[2\]/);
    await session.write("w", nd("f32", [3], 0));
    expect(await code(session.run(step, { x: one }))).toMatch(
      /feed: parameter w is f32\[2\], the state holds f32\[3\]/,
    );
    expect(await code(session.read("v"))).toMatch(/feed: the state has no v/);
  });
});

describe("the ort engine's thread", () => {
  test("leaves the event loop free: a 20 ms timer keeps firing during steps", async () => {
    const m = param("m", [1024, 1024], zeros);
    let y = m;
    for (let i = 0; i < 80; i++) y = y.matmul(m);
    const long: Program = { outputs: {}, next: { m: y } };
    await using session = await ort.open(new Map([["m", nd("f32", [1024, 1024], 0)]]));
    await session.run(long);
    const ticks = [performance.now()];
    const timer = setInterval(() => ticks.push(performance.now()), 20);
    for (let i = 0; i < 2; i++) await session.run(long);
    clearInterval(timer);
    const stepTime = (performance.now() - ticks[0]!) / 2;
    const gaps = ticks.slice(1).map((t, i) => t - ticks[i]!);
    // a step takes half a second or more; other work on the machine may delay a timer by tens of milliseconds
    expect(stepTime).toBeGreaterThan(100);
    expect(Math.max(...gaps)).toBeLessThan(Math.max(100, stepTime / 2));
    expect(ticks.length).toBeGreaterThan(5);
  });

  test("that dies fails the runs that wait for it, and those after", async () => {
    const module = fileURLToPath(new URL("./fixtures/dying-engine.js", import.meta.url));
    const session = await ortEngine({ module }).open(new Map([["w", one]]));
    const runs = [session.run(step, { x: one }), session.read("w")];
    for (const run of [...runs, session.read("w")])
      expect(await code(run)).toMatch(/engine: .*thread stopped: exit code 3/);
    await session[Symbol.asyncDispose]();
  });

  test("says what to install where the package is missing", async () => {
    const missing = ortEngine({ module: "onnxruntime-absent" });
    expect(await missing.probe()).toMatchObject({ available: false, why: expect.stringContaining("npm install") });
    expect(await code(missing.open(new Map()))).toMatch(/engine: onnxruntime-absent does not load .*\n.*npm install/);
  });

  test("refuses bf16, which ONNX Runtime does not hold", async () => {
    expect(await code(ort.open(new Map([["h", nd("bf16", [1], 1)]])))).toMatch(/engine: .*bf16/);
  });
});

test("an engine is chosen by name, and an unknown name lists the known", async () => {
  expect((await chooseEngine()).name).toBe((await native.probe()).available ? "native" : "ort");
  expect((await chooseEngine("reference")).name).toBe("reference");
  expect(await code(chooseEngine("metal" as "ort"))).toMatch(/engine: no engine is called metal\n.*reference, ort/);
});
