/** Relative positions against transformers, and against themselves where positions are fed. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { constant, evaluate, exact, i32, input, nd, Scope } from "../src/ir/index.js";
import { relativeBias, zeros } from "../src/nn/index.js";
import { engines } from "../src/runtime/index.js";

test("distances fall into the buckets that transformers puts them in", () => {
  const { cases } = JSON.parse(
    readFileSync(new URL("fixtures/encoder-decoder/buckets.json", import.meta.url), "utf8"),
  ) as {
    cases: { bidirectional: boolean; buckets: number; maxDistance: number; far: number; found: number[] }[];
  };
  for (const { far, found, ...o } of cases) {
    const p = new Scope();
    const options = { ...o, heads: 1, init: zeros };
    // one query in the middle of all keys; each bucket's number is its own
    const keys = constant(
      Array.from({ length: 2 * far + 1 }, (_, i) => i),
      i32([1, 2 * far + 1]),
    );
    const bias = relativeBias(p, { queries: constant([far], i32([1, 1])), keys }, options);
    const weight = nd(
      "f32",
      [o.buckets, 1],
      Array.from({ length: o.buckets }, (_, i) => i),
    );
    const [got] = evaluate([bias], new Map([["weight", exact(weight)]]));
    expect([...got!.data], JSON.stringify(o)).toEqual(found);
  }
});

test("positions that are fed give the bias that a row's own places give, also of one query among earlier keys", async () => {
  const o = { heads: 3, buckets: 8, maxDistance: 10, bidirectional: false, init: zeros };
  const T = 14;
  const weight = nd(
    "f32",
    [8, 3],
    Array.from({ length: 24 }, (_, i) => Math.sin(i)),
  );
  const fed = input("positions", i32([1, T]));
  const last = input("last", i32([1, 1]));
  const outputs = {
    row: relativeBias(new Scope(), { queries: T, keys: T }, o),
    fed: relativeBias(new Scope(), { queries: fed, keys: fed }, o),
    last: relativeBias(new Scope(), { queries: last, keys: fed }, o),
  };
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(new Map([["weight", weight]]));
    const positions = nd(
      "i32",
      [1, T],
      Array.from({ length: T }, (_, i) => i + 5),
    );
    const got = await session.run({ outputs, next: {} }, { positions, last: nd("i32", [1, 1], [T + 4]) });
    expect(got["fed"]).toEqual(got["row"]);
    const lastOfRow = Array.from({ length: 3 }, (_, h) =>
      got["row"]!.data.slice(((h + 1) * T - 1) * T, (h + 1) * T * T),
    );
    expect([...got["last"]!.data]).toEqual(lastOfRow.flatMap((part) => [...part].map(Number)));
  }
});
