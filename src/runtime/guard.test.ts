import { expect, test } from "vitest";
import { input, nd, type Program, param } from "../ir/index.js";
import "../ops/index.js";
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

test("a run whose signal was given up does not start", async () => {
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(new Map([["w", nd("f32", [2], 1)]]));
    const run = session.run(step, { x: nd("f32", [2], 1) }, { signal: AbortSignal.abort(new Error("enough")) });
    await expect(run).rejects.toThrow("enough");
    expect(await session.read("w")).toEqual(nd("f32", [2], 1));
  }
});
