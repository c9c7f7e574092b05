import { describe, expect, test } from "vitest";
import { present } from "../../test/present.js";
import { f32, nd } from "../ir/index.js";

const values = Array.from({ length: 15 }, (_, i) => i - 0.5);
async function* pieces() {
  // the last begins before the one in front of it ends, as rows that do not divide evenly are cut
  for (const at of [0, 2, 3]) yield { at, value: nd("f32", [2, 3], values.slice(3 * at, 3 * at + 6)) };
}

describe.each(present)("%s", (_, engine) => {
  test("a value that comes in pieces is held whole, in the place of an older one too", async () => {
    await using session = await engine.open(new Map([["w", nd("f32", [2], 1)]]));
    for (const name of ["w", "new"]) {
      await session.fill(name, f32([5, 3]), pieces());
      expect(await session.read(name)).toEqual(nd("f32", [5, 3], values));
    }
  });

  test("other elements than f32 are held as they are", async () => {
    await using session = await engine.open(new Map());
    async function* numbers() {
      yield { at: 0, value: nd("i32", [1], 7) };
      yield { at: 1, value: nd("i32", [1], 8) };
    }
    await session.fill("n", { dtype: "i32", shape: [2] }, numbers());
    expect(await session.read("n")).toEqual(nd("i32", [2], [7, 8]));
  });

  test("a piece of another type is refused", async () => {
    await using session = await engine.open(new Map());
    await expect(session.fill("w", f32([5, 4]), pieces())).rejects.toThrow(
      "a piece of w is f32[2,3], the whole f32[5,4]",
    );
  });
});
