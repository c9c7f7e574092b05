import { expect, test } from "vitest";
import { f32, i32, input, type Nd, nd, type Program, param } from "../ir/index.js";
import { gather, matmul } from "../ops/index.js";
import { engines } from "./index.js";

const w = param("w", [2], (shape) => new Float32Array(shape[0]!));
const x = input("x", w.type);
const step: Program = { outputs: { norm: x.sum(), each: x }, next: { w: w.add(x) } };

test("a guarded run whose numbers are not all finite gives them, and leaves the state as it was", async () => {
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(new Map([["w", nd("f32", [2], 1)]]));
    const good = { x: nd("f32", [2], [1, 2]) };
    const bad = { x: nd("f32", [2], [1, Number.NaN]) };
    await session.run(step, good, { guarded: true });
    expect(await session.read("w")).toEqual(nd("f32", [2], [2, 3]));
    const outputs = await session.run(step, bad, { guarded: true });
    expect(outputs["norm"]!.data[0]).toBeNaN();
    expect(await session.read("w")).toEqual(nd("f32", [2], [2, 3]));
    await session.run(step, good, { guarded: true });
    expect(await session.read("w")).toEqual(nd("f32", [2], [3, 5]));
    await session.run(step, bad);
    expect((await session.read("w")).data[1]).toBeNaN();
  }
});

test("numbers that are made of what is written over are asked before that is done", async () => {
  const [a, b] = [input("a", f32([3, 2])), input("b", f32([3, 2]))];
  const gradient = matmul(a, b, { transposeLeft: true });
  const square = param("w", [2, 2], () => new Float32Array(4));
  const next = square.sub(gradient.mul(0.5));
  const programs: Program[] = [
    { outputs: { norm: gradient.mul(gradient).sum() }, next: { w: next } },
    { outputs: { mean: next.mean() }, next: { w: next } },
  ];
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    for (const program of programs) {
      await using session = await engine.open(new Map([["w", nd("f32", [2, 2], 1)]]));
      const bad = { a: nd("f32", [3, 2], [1, 2, 3, 4, 5, 6]), b: nd("f32", [3, 2], [1, 2, Number.NaN, 4, 5, 6]) };
      await session.run(program, bad, { guarded: true });
      expect(await session.read("w")).toEqual(nd("f32", [2, 2], 1));
      await session.run(program, { ...bad, b: bad.a }, { guarded: true });
      expect((await session.read("w")).data[0]).toBe(-16.5);
    }
  }
});

test("a run whose signal was given up does not start", async () => {
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(new Map([["w", nd("f32", [2], 1)]]));
    const run = session.run(step, { x: nd("f32", [2], 1) }, { signal: AbortSignal.abort(new Error("enough")) });
    await expect(run).rejects.toThrow("enough");
    expect(await session.read("w")).toEqual(nd("f32", [2], 1));
  }
});

test("a run that is refused, for an index or by its guard, leaves the state as it was", async () => {
  const [q, ids, x] = [input("q", i32([3])), input("ids", i32([3])), input("x", f32([2, 2]))];
  const t = q.add(ids);
  const table = param("table", [8, 2], () => new Float32Array(16));
  // one loop computes an index and what the state becomes
  const program: Program = {
    outputs: { score: matmul(x, x, { transposeLeft: true }).exp().sum() },
    next: { count: t.mul(ids), memory: gather(table, t).mul(2) },
  };
  const state = () =>
    new Map<string, Nd>([
      ["table", nd("f32", [8, 2], 1)],
      ["count", nd("i32", [3], 7)],
      ["memory", nd("f32", [3, 2], 7)],
    ]);
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(state());
    const feeds = { q: nd("i32", [3], [1, 2, 3]), ids: nd("i32", [3], 1), x: nd("f32", [2, 2], 1) };
    await session.run(program, { ...feeds, x: nd("f32", [2, 2], Number.NaN) }, { guarded: true });
    expect(await session.read("count")).toEqual(nd("i32", [3], 7));
    await expect(session.run(program, { ...feeds, q: nd("i32", [3], 51) })).rejects.toThrow();
    expect(await session.read("count")).toEqual(nd("i32", [3], 7));
    await session.run(program, feeds, { guarded: true });
    expect(await session.read("count")).toEqual(nd("i32", [3], [2, 3, 4]));
    expect(await session.read("memory")).toEqual(nd("f32", [3, 2], 2));
  }
});
