import { expect, test } from "vitest";
import { input, nd, type Program, param } from "../ir/index.js";
import "../ops/index.js";
import { ort, reference } from "./index.js";

const w = param("w", [2], (shape) => new Float32Array(shape[0]!));
const step: Program = { outputs: {}, next: { w: w.add(input("x", w.type)) } };
const look: Program = { outputs: { w }, next: {} };
const x = nd("f32", [2], [1, 2]);

test("undo takes back the last run that changed the state, and no more than that", async () => {
  for (const engine of [reference, ort]) {
    await using session = await engine.open(new Map([["w", nd("f32", [2], 0)]]));
    expect(await session.undo!()).toBe(false);
    for (let i = 0; i < 3; i++) await session.run(step, { x });
    await session.run(look);
    expect(await session.undo!()).toBe(true);
    expect(await session.read("w")).toEqual(nd("f32", [2], [2, 4]));
    expect(await session.undo!()).toBe(false);
    await session.run(step, { x });
    expect(await session.read("w")).toEqual(nd("f32", [2], [3, 6]));
    await session.write("w", x);
    expect(await session.undo!()).toBe(false);
  }
});
