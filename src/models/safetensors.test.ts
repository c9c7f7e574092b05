import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shared } from "../../test/shared.js";
import { dtypes, exact, type Nd, nd, type Type } from "../ir/index.js";
import { openSafetensors, type SafetensorsContent, writeSafetensors } from "./safetensors.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "plinth-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

const content = (tensors: Record<string, Nd>, options: Partial<SafetensorsContent> = {}): SafetensorsContent => ({
  types: new Map<string, Type>(Object.entries(tensors)),
  value: (name) => tensors[name]!,
  ...options,
});
async function readAll(path: string, floats: "stored" | "f32" = "stored"): Promise<Record<string, Nd>> {
  await using file = await openSafetensors(path);
  const found: Record<string, Nd> = {};
  for (const name of file.tensors.keys()) found[name] = await file.read(name, { floats });
  return found;
}

test("every element type comes back bit for bit, empty and scalar shapes too", async () => {
  const path = join(folder, "all.safetensors");
  const tensors: Record<string, Nd> = {
    scalar: nd("f32", [], 3.5),
    empty: nd("f32", [0, 5], []),
    __proto__x: nd("f32", [1], 1),
  };
  for (const dtype of dtypes)
    tensors[`${dtype} ü/键`] = nd(dtype, [3, 2], dtype === "bool" ? [0, 1, 1, 0, 1, 0] : [1, 2, 3, 4, 5, 60]);
  await writeSafetensors(path, content(tensors, { metadata: { format: "pt" } }));
  expect(await readAll(path)).toEqual(tensors);
  await using file = await openSafetensors(path);
  expect(file.metadata).toEqual({ format: "pt" });
});

test("floats are narrowed when written and widened when read", async () => {
  const path = join(folder, "half.safetensors");
  for (const floats of ["f16", "bf16"] as const) {
    const values = [0, -0, 1, -1.5, 65504, 6e-8, 1e-5, 0.333333, Number.POSITIVE_INFINITY, Number.NaN];
    await writeSafetensors(path, content({ x: nd("f32", [10], values), i: nd("i32", [1], 7) }, { floats }));
    const { x, i } = await readAll(path, "f32");
    expect(x!.dtype).toBe("f32");
    expect([...x!.data]).toEqual([...exact(nd(floats, [10], values)).data]);
    expect(i).toEqual(nd("i32", [1], 7));
  }
});

test("a number that a half cannot hold is refused by name", async () => {
  const large = content({ w: nd("f32", [2], [1, 70000]) }, { floats: "f16" });
  await expect(writeSafetensors(join(folder, "large.safetensors"), large)).rejects.toThrow(
    "70000 is too large for f16\n  at w\n  help: store the weights as f32",
  );
});

test("widening a half gives exactly its value, for all 65,536 of them", async () => {
  const path = join(folder, "halves.safetensors");
  const all: Nd = { dtype: "f16", shape: [65536], data: Uint16Array.from({ length: 65536 }, (_, i) => i) };
  await writeSafetensors(path, content({ all }));
  expect((await readAll(path, "f32"))["all"]!.data).toEqual(Float32Array.from(exact(all).data));
});

test("a file of the format's own library reads as its values", async (t) => {
  const set = shared("conformance_safetensors");
  if (!set) return t.skip();
  const expected = JSON.parse(await readFile(join(set, "all_dtypes.json"), "utf8"));
  const found = await readAll(join(set, "all_dtypes.safetensors"), "f32");
  for (const [name, { shape, values }] of Object.entries<{ shape: number[]; values: (string | number | boolean)[] }>(
    expected,
  )) {
    expect(found[name]!.shape).toEqual(shape);
    expect([...found[name]!.data].map(Number)).toEqual(
      values.map((v) => (found[name]!.dtype === "f32" ? Math.fround(Number(v)) : Number(v))),
    );
  }
});

test("good and malformed files are judged as the format's own library judges them", async (t) => {
  const set = shared("conformance_safetensors");
  if (!set) return t.skip();
  const verdicts: Record<string, string> = JSON.parse(await readFile(join(set, "verdicts.json"), "utf8"));
  for (const [name, verdict] of Object.entries(verdicts)) {
    const opened = openSafetensors(join(set, "cases", name)).then((f) => f.close());
    if (verdict.startsWith("accepted")) await expect(opened, name).resolves.toBeUndefined();
    else await expect(opened, name).rejects.toMatchObject({ code: "checkpoint" });
  }
});

test("tensors are asked for one at a time, each after the one before is on disk", async () => {
  const path = join(folder, "streamed.safetensors");
  const types = new Map<string, Type>(Array.from({ length: 5 }, (_, i) => [`t${i}`, { dtype: "f32", shape: [1000] }]));
  const sizes: number[] = [];
  const value = async (name: string) => {
    sizes.push((await stat(`${path}.tmp`)).size);
    return nd("f32", [1000], Number(name.slice(1)));
  };
  await writeSafetensors(path, { types, value });
  expect(sizes.map((size) => size - sizes[0]!)).toEqual([0, 4000, 8000, 12000, 16000]);
});

test("a file cut anywhere is refused", async () => {
  const path = join(folder, "whole.safetensors");
  const cut = join(folder, "cut.safetensors");
  await writeSafetensors(path, content({ a: nd("f32", [5], 1), b: nd("i32", [2], 2) }));
  const bytes = await readFile(path);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async (length) => {
      await writeFile(cut, bytes.subarray(0, length));
      await expect(openSafetensors(cut)).rejects.toMatchObject({ code: "checkpoint" });
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("verify notices a single changed bit", async () => {
  const path = join(folder, "sum.safetensors");
  await writeSafetensors(path, content({ a: nd("f32", [5], 1), b: nd("bool", [3], 1) }, { checksum: true }));
  const check = async () => {
    await using file = await openSafetensors(path);
    await file.verify();
  };
  await check();
  const bytes = await readFile(path);
  bytes[bytes.length - 10]! ^= 4;
  await writeFile(path, bytes);
  await expect(check()).rejects.toThrow("is damaged: its checksum does not match");
});

test("elements the runtime has no type for are refused by name, the rest of the file stays readable", async () => {
  const path = join(folder, "float8.safetensors");
  const header = `{"odd":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`;
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(header.length));
  await writeFile(path, Buffer.concat([start, Buffer.from(header), Buffer.alloc(8)]));
  await using file = await openSafetensors(path);
  expect(await file.read("a")).toEqual(nd("f32", [1], 0));
  await expect(file.read("odd")).rejects.toThrow(`${path}: odd: elements of type F8_E4M3 are not supported`);
});

test("what fails half-way leaves the file that was there, and nothing else", async () => {
  const path = join(folder, "kept.safetensors");
  await writeSafetensors(path, content({ a: nd("f32", [2], 1) }));
  const before = await readFile(path);
  const broken: SafetensorsContent = {
    types: new Map([["a", { dtype: "f32", shape: [2] }]]),
    value: () => {
      throw new Error("the worker died");
    },
  };
  await expect(writeSafetensors(path, broken)).rejects.toThrow("the worker died");
  expect(await readFile(path)).toEqual(before);
  expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("a folder that cannot be written is told as such", async () => {
  const file = join(folder, "a-file");
  await writeFile(file, "");
  await expect(writeSafetensors(join(file, "x.safetensors"), content({}))).rejects.toMatchObject({
    code: "disk",
    message: expect.stringContaining("a part of the path is a file, not a folder (ENOTDIR)"),
  });
});
