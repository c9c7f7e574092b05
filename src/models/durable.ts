/** Files that are either whole or absent: written under a temporary name, synced, renamed; disk trouble becomes one clear error. */
import { type FileHandle, mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fail, PlinthError } from "../ir/index.js";

const troubles: Readonly<Record<string, readonly [what: string, help: string]>> = {
  ENOSPC: ["the disk is full", "free some space; what was saved before is intact"],
  EDQUOT: ["the disk quota is used up", "free some space; what was saved before is intact"],
  EFBIG: [
    "the file would be larger than this system allows",
    "raise the file size limit (ulimit -f) or use another disk",
  ],
  EACCES: ["no permission to write", "choose a folder you may write to, or change its permissions"],
  EPERM: ["no permission to write", "choose a folder you may write to, or change its permissions"],
  EROFS: ["the disk is read-only", "choose a folder on a disk that can be written"],
  ENOTDIR: ["a part of the path is a file, not a folder", "choose another folder"],
  EISDIR: ["a folder is in the way of a file of that name", "choose another folder"],
  EEXIST: ["a file is in the way of a folder of that name", "choose another folder"],
  ENOENT: ["the folder cannot be made or has vanished", "choose a folder you may write to"],
  EIO: ["the disk reports an error", "check the disk; what was saved before is intact"],
};

/** The same error, as a PlinthError of code disk when the system says that writing to `path` is impossible. */
export function diskError(error: unknown, path: string): unknown {
  if (error instanceof PlinthError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  const trouble = troubles[code];
  return trouble ? fail("disk", `cannot write ${path}: ${trouble[0]} (${code})`, trouble[1]) : error;
}

/** Run something that writes to `path`, with disk trouble told as such. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Make a folder and those above it. Throws code disk. */
export const makeFolder = (path: string): Promise<void> => writing(path, () => make(resolve(path)));

/** Not mkdir's own recursion, which never ends in a folder like /proc that is there but takes nothing. */
async function make(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (found?.isDirectory()) return;
  if (!found && dirname(path) !== path) await make(dirname(path));
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    // made by another process since
    if (error.code !== "EEXIST" || !(await stat(path)).isDirectory()) throw error;
  });
}

/** Write all of `bytes`, however many calls that takes. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number | null = null): Promise<void> {
  const chunk = 1 << 26; // one call may not write 2 GiB
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(chunk, bytes.length - at);
    const { bytesWritten } = await file.write(bytes, at, length, position === null ? null : position + at);
    at += bytesWritten;
  }
}

/** Make the names in a folder survive a power cut. Systems that cannot sync a folder do not need it. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  if (!folder) return;
  try {
    await folder.sync();
  } catch {
    // Windows refuses to sync a folder
  } finally {
    await folder.close();
  }
}

/** Write a file under `path` + ".tmp" and sync it; nothing is left behind when writing fails. */
export async function stage(path: string, write: (file: FileHandle) => Promise<void>): Promise<string> {
  const temporary = `${path}.tmp`;
  return writing(path, async () => {
    try {
      const file = await open(temporary, "w");
      try {
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      return temporary;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  });
}

/** Replace `path` in one instant: a reader sees the old file or the new one, whatever is killed when. */
export async function replaceFile(
  path: string,
  content: string | Uint8Array | ((file: FileHandle) => Promise<void>),
): Promise<void> {
  const write =
    typeof content === "function"
      ? content
      : (file: FileHandle) => writeAll(file, typeof content === "string" ? Buffer.from(content) : content);
  const temporary = await stage(path, write);
  await writing(path, () => rename(temporary, path));
  await syncFolder(dirname(path));
}

/** Bytes that may still be written at `path` or at the nearest folder above it that exists. */
export async function freeBytes(path: string): Promise<number> {
  let at = resolve(path);
  while (!(await stat(at).catch(() => undefined)) && dirname(at) !== at) at = dirname(at);
  const { bavail, bsize } = await statfs(at);
  return bavail * bsize;
}

/** Throw code disk unless `bytes` more fit at `path`. */
export async function requireSpace(path: string, bytes: number, purpose: string): Promise<void> {
  const free = await freeBytes(path);
  if (bytes > free)
    throw fail(
      "disk",
      `${purpose} needs ${megabytes(bytes)}, but ${path} has ${megabytes(free)} free`,
      "free some space or choose a folder on another disk; nothing was removed",
    );
}
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/** A path inside a folder, refused when the name would leave it. */
export function inside(folder: string, name: string): string {
  const path = join(folder, name);
  if (!resolve(path).startsWith(resolve(folder)))
    throw fail("checkpoint", `${name} is outside of ${folder}`, "the index of this model folder is not trustworthy");
  return path;
}
