import { expect, test } from "vitest";
import { constant, evaluate, f32, i32 } from "../ir/index.js";
import { pool } from "./pool.js";

test("pooling sees real tokens only: their mean, their largest numbers, the last of them, or the first token", () => {
  const hidden = constant([1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60], f32([2, 3, 2]));
  const segments = constant([1, 1, 0, 1, 1, 1], i32([2, 3]));
  const run = (how: "mean" | "last" | "cls" | "max") => [
    ...evaluate([pool(hidden, segments, how)], new Map())[0]!.data,
  ];
  expect(run("mean")).toEqual([1.5, 15, 5, 50]);
  expect(run("last")).toEqual([2, 20, 6, 60]);
  expect(run("max")).toEqual([2, 20, 6, 60]);
  expect(run("cls")).toEqual([1, 10, 4, 40]);
});

test("a row of nothing but padding pools to zero, not to NaN", () => {
  const hidden = constant(1, f32([1, 2, 2]));
  const segments = constant([0, 0], i32([1, 2]));
  for (const how of ["mean", "last"] as const)
    expect([...evaluate([pool(hidden, segments, how)], new Map())[0]!.data]).toEqual([0, 0]);
});
