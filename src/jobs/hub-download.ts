/** One file of the hub into the cache: gone on with where it was cut off, and compared with its checksum before it counts. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, open, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { downloadFile } from "@huggingface/hub";
import { fail, PlinthError } from "../ir/index.js";
import { requireSpace, writeAll, writing } from "../models/index.js";

export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Its name among the cache's blobs: its checksum. */
  readonly etag: string;
  /** Large files have the sha256 of their bytes, small ones git's sha1. */
  readonly sum: "sha256" | "git";
}

export interface Fetching {
  readonly hub: { readonly hubUrl: string; readonly fetch: typeof fetch; readonly accessToken?: string };
  readonly name: string;
  readonly commit: string;
  readonly note?: ((text: string) => void) | undefined;
}

/** A fetch that gives up where no answer begins within so many milliseconds. */
export function patient(milliseconds: number): typeof fetch {
  return async (input, init) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new DOMException("no answer", "TimeoutError")), milliseconds);
    try {
      return await fetch(input, { ...init, signal: stop.signal });
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Milliseconds without a byte after which a download counts as cut off. */
const stalled = 30_000;
/** Times that a download is taken up again in one go. */
const attempts = 3;

/** Bring a file to `blob`. Throws `hub` where the connection ends for good, or where the bytes are not those that the hub announced. */
export async function fetchFile(blob: string, file: HubFile, f: Fetching): Promise<void> {
  const part = `${blob}.incomplete`;
  await requireSpace(dirname(blob), file.size, file.path);
  let failure: unknown;
  for (let attempt = 0; attempt < attempts && (await sizeOf(part)) < file.size; attempt++) {
    const from = await sizeOf(part);
    const going = from ? `, from ${megabytes(from)} on` : "";
    if (from || file.size > 1e6) f.note?.(`downloading ${f.name} ${file.path} (${megabytes(file.size)}${going})`);
    failure = await append(part, file, f).catch((error: unknown) => error);
    if (failure instanceof PlinthError) throw failure;
  }
  const here = await sizeOf(part);
  if (here < file.size)
    throw fail(
      "hub",
      `the download of ${f.name} ${file.path} ended after ${here} of ${file.size} bytes${failure ? `: ${(failure as Error).message ?? failure}` : ""}`,
      "run the same command again: it goes on from there",
    );
  const sum = await sumOf(part, file);
  if (here !== file.size || sum !== file.etag) {
    await rm(part, { force: true });
    throw fail(
      "hub",
      `${f.name} ${file.path} came with another checksum than the hub announces: ${sum}, not ${file.etag}`,
      "what was downloaded is removed: run the same command again",
    );
  }
  await rename(part, blob);
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/** What is missing of a file, at its end. */
async function append(part: string, file: HubFile, { hub, name, commit }: Fetching): Promise<void> {
  const from = await sizeOf(part);
  const whole = await downloadFile({ ...hub, repo: name, path: file.path, revision: commit });
  if (!whole) throw fail("hub", `${name} has no file ${file.path}`, "run the same command again", commit);
  const reader = (from ? whole.slice(from, whole.size) : whole).stream().getReader();
  await writing(part, async () => {
    await using out = await open(part, "a");
    for (;;) {
      const { done, value } = await withinTime(reader.read());
      if (done) return;
      await writeAll(out, value);
    }
  }).finally(() => reader.cancel().catch(() => undefined));
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte for ${stalled / 1000} seconds`)), stalled);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function sumOf(path: string, { sum, size }: HubFile): Promise<string> {
  const hash = createHash(sum === "git" ? "sha1" : "sha256");
  if (sum === "git") hash.update(`blob ${size}\0`);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 22 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

/** A file of a snapshot: a link to its blob, or a copy where the system has no links for us. */
export async function linkFile(blob: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(relative(dirname(path), blob), path).catch(() => copyFile(blob, path));
}
