import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromSystem } from "./system-error.js";

const refused = (code: string) => Object.assign(new Error(code), { code, path: "runs/a" });
const caught = (f: () => unknown) => {
  try {
    f();
  } catch (error) {
    return error;
  }
};

test("what the operating system refuses is said as something to do", () => {
  const codes = ["ENOSPC", "EACCES", "EROFS", "ENOENT", "EISDIR", "ENOTDIR", "EMFILE"];
  expect(codes.map((code) => fromSystem(refused(code))?.message)).toMatchInlineSnapshot(`
    [
      "the disk is full
      at runs/a
      help: free some space; what was saved before is intact",
      "no permission to open runs/a
      help: change its permissions, or choose another folder",
      "runs/a is on a disk that may only be read
      help: choose another folder",
      "there is no runs/a
      help: check the path",
      "runs/a is a folder where a file is expected
      help: name a file in it",
      "a part of the path runs/a is a file, not a folder
      help: check the path",
      "too many files are open
      help: raise the limit with \`ulimit -n 4096\`",
    ]
  `);
});

test("real refusals are recognised, anything else is left alone", () => {
  const folder = mkdtempSync(join(tmpdir(), "plinth-system-"));
  writeFileSync(join(folder, "file"), "");
  expect(fromSystem(caught(() => readFileSync(join(folder, "none"))))?.code).toBe("source");
  expect(fromSystem(caught(() => writeFileSync(join(folder, "file", "x"), "")))?.what).toMatch(/a file, not a folder/);
  expect(fromSystem(new TypeError("x is undefined"))).toBeUndefined();
  expect(fromSystem("text")).toBeUndefined();
});
