/** Text out of files: decompressed, checked to be UTF-8, in pieces or in lines, with bad bytes named by place. */
import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { Decompress } from "fzstd";
import { fail } from "../ir/index.js";

const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

/** The bytes of a file, unpacked when its name ends in .gz or .zst. Throws "source". */
async function* bytes(path: string): AsyncGenerator<Buffer> {
  let total = 0;
  const raw = createReadStream(path, { highWaterMark: 1 << 18 });
  try {
    for await (const chunk of path.endsWith(".gz") ? gunzip(raw) : path.endsWith(".zst") ? unzstd(raw) : raw) {
      total += chunk.length;
      yield chunk as Buffer;
    }
  } catch (error) {
    throw readError(error, path);
  } finally {
    raw.destroy();
  }
  if (total === 0) throw fail("source", "the file is empty", "remove it or put text into it", path);
}

function gunzip(raw: ReturnType<typeof createReadStream>): AsyncIterable<Buffer> {
  const unpack = createGunzip({ chunkSize: 1 << 18 });
  raw.on("error", (error) => unpack.destroy(error));
  return raw.pipe(unpack);
}

async function* unzstd(raw: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let ready: Uint8Array[] = [];
  const unpack = new Decompress((data) => ready.push(data));
  let first = true;
  for await (const chunk of raw) {
    if (first && zstdMagic.some((byte, i) => chunk[i] !== byte)) throw new Error("invalid zstd data");
    first = false;
    // small steps, so that what comes out of a small file of long repeats is bounded too
    for (let at = 0; at < chunk.length; at += 1 << 14) {
      unpack.push(new Uint8Array(chunk.subarray(at, at + (1 << 14))));
      for (const data of ready) yield Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      ready = [];
    }
  }
  if (first) return;
  unpack.push(new Uint8Array(0), true);
  for (const data of ready) yield Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** What the system says about a file, in our words. */
export function readError(error: unknown, path: string): unknown {
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (name === "PlinthError") return error;
  if (code === "ENOENT") return fail("source", "there is no such file", "check the path", path);
  if (code === "EACCES" || code === "EPERM")
    return fail("source", "no permission to read this file", "change its permissions (chmod +r)", path);
  if (code === "EISDIR")
    return fail("source", "this is a folder, not a file", "give the folder without an ending", path);
  if (/\.(gz|zst)$/.test(path))
    return fail("source", `the compressed file is damaged: ${message}`, "fetch or compress it again", path);
  return fail("source", `the file cannot be read: ${message}`, "check the file and the disk", path);
}

/** Text of about a quarter million characters at a time; never half a character. Throws "source" for what is not UTF-8. */
export async function* decoded(path: string): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0; // of `rest` in the unpacked file
  let line = 1;
  for await (const chunk of bytes(path)) {
    const whole = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    if (offset === 0) refuseBinary(whole, path);
    const end = whole.length - unfinished(whole);
    const piece = whole.subarray(0, end);
    if (!isUtf8(piece)) throw badBytes(piece, offset, line, path);
    rest = Buffer.from(whole.subarray(end));
    const text = piece.toString("utf8");
    if (piece.includes(0))
      throw binary(path, `a zero byte in line ${line + newlines(piece.subarray(0, piece.indexOf(0)))}`);
    line += newlines(piece);
    yield offset === 0 && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    offset += end;
  }
  if (rest.length) throw badBytes(rest, offset, line, path);
}

/** Bytes at the end that begin a character whose other bytes are in the next chunk. */
function unfinished(chunk: Buffer): number {
  for (let back = 1; back <= Math.min(3, chunk.length); back++) {
    const byte = chunk[chunk.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

function newlines(piece: Buffer): number {
  let count = 0;
  for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) count++;
  return count;
}

const magics: readonly (readonly [string, readonly number[]])[] = [
  ["UTF-16 text", [0xff, 0xfe]],
  ["UTF-16 text", [0xfe, 0xff]],
  ["gzip data", [0x1f, 0x8b]],
  ["zstd data", zstdMagic],
  ["a zip archive", [0x50, 0x4b, 3, 4]],
  ["a PDF", [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ["Parquet data", [0x50, 0x41, 0x52, 0x31]],
];

function refuseBinary(start: Buffer, path: string): void {
  for (const [kind, magic] of magics) if (magic.every((byte, i) => start[i] === byte)) throw binary(path, kind);
  if (start.subarray(0, 8192).includes(0)) throw binary(path, "zero bytes");
}

function binary(path: string, found: string) {
  const help: Record<string, string> = {
    "UTF-16 text": "save it as UTF-8 (iconv -f utf-16 -t utf-8)",
    "gzip data": "rename it to end in .gz",
    "zstd data": "rename it to end in .zst",
    "Parquet data": "rename it to end in .parquet",
  };
  return fail("source", `the file is not text: it holds ${found}`, help[found] ?? "give a text file in UTF-8", path);
}

function badBytes(piece: Buffer, offset: number, line: number, path: string) {
  let [good, bad] = [0, piece.length]; // the longest valid beginning lies between
  while (good < bad) {
    const middle = (good + bad + 1) >> 1;
    const beginning = piece.subarray(0, middle);
    if (isUtf8(beginning.subarray(0, middle - unfinished(beginning)))) good = middle;
    else bad = middle - 1;
  }
  good -= unfinished(piece.subarray(0, good));
  const shown = [...piece.subarray(good, good + 2)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const at = `${path}:${line + newlines(piece.subarray(0, good))}`;
  return fail(
    "source",
    `not valid UTF-8 at byte ${offset + good} (${shown})`,
    "save it as UTF-8, for example: iconv -f latin1 -t utf-8",
    at,
  );
}

/** A line and its number, from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** Lines without their ends (\n or \r\n); a last line without an end counts. */
export async function* lines(path: string): AsyncGenerator<Line> {
  let rest = "";
  let number = 0;
  for await (const piece of decoded(path)) {
    const parts = (rest + piece).split("\n");
    rest = parts.pop()!;
    for (const part of parts) yield { number: ++number, text: part.endsWith("\r") ? part.slice(0, -1) : part };
  }
  if (rest) yield { number: ++number, text: rest };
}
