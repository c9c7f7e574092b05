/** A folder of a test file's own, made before its tests and removed after them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** Call at the top of a test file; the result gives the folder's path to a test. */
export function temporary(prefix: string): () => string {
  let path = "";
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), prefix));
  });
  afterAll(() => rm(path, { recursive: true, force: true }));
  return () => path;
}
