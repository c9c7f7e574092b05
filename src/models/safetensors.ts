/** The safetensors format: a length, a JSON header, then bytes; checked as strictly as its own library, one tensor in memory at a time. */
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { arrayOf, bytesOf, type Dtype, fail, type Nd, size, type Type, toBfloat, toHalf } from "../ir/index.js";
import { replaceFile, writeAll } from "./durable.js";
import { decode, widen } from "./safetensors-decode.js";
import { parseHeader, type StoredDtype, type StoredTensor } from "./safetensors-header.js";
import { type Piece, type Room, spans } from "./safetensors-pieces.js";

export type { StoredDtype, StoredTensor } from "./safetensors-header.js";

/** An open weights file: its names and types are known, its bytes are read on demand. */
export interface SafetensorsFile extends AsyncDisposable {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** One tensor. `floats: "f32"` widens f16, bf16 and f64; u8, i8, i16 and u16 become i32. Throws code checkpoint for other types. */
  read(name: string, options?: { readonly floats?: "stored" | "f32" }): Promise<Nd>;
  /** One tensor in pieces along its first axis, floats as f32: each is valid until the next one is asked for. */
  pieces(name: string, room: Room): AsyncGenerator<Piece>;
  /** Throw code checkpoint when the bytes are not those that were written, as far as the file says. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

const another = "download or save it again, or name another file";

/** Open and check a weights file. Throws code checkpoint: missing, truncated, foreign, or inconsistent. */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw fail(
      "checkpoint",
      `cannot read ${path}: ${error.code === "ENOENT" ? "no such file" : error.message}`,
      another,
    );
  });
  try {
    const { size: bytes } = await file.stat();
    const { tensors, metadata, dataStart } = await parseHeader(path, bytes, (at, length) =>
      readAt(file, at, length, path),
    );
    const close = () => file.close();
    const found = (name: string): StoredTensor => {
      const stored = tensors.get(name);
      if (stored) return stored;
      throw fail("checkpoint", `${path} has no tensor ${name}`, another, name);
    };
    const read: SafetensorsFile["read"] = async (name, { floats = "stored" } = {}) => {
      const stored = found(name);
      const raw = await readAt(file, dataStart + stored.begin, stored.end - stored.begin, path);
      return decode(raw, stored, { floats, at: `${path}: ${name}` });
    };
    async function* pieces(name: string, room: Room): AsyncGenerator<Piece> {
      const stored = found(name);
      for (const { at, shape, begin, end } of spans(stored, room.bytes)) {
        const raw = room.take(end - begin);
        await fill(file, raw, dataStart + begin, path);
        yield { at, value: decode(raw, { ...stored, shape }, { floats: "f32", at: `${path}: ${name}`, room }) };
      }
    }
    const verify = async () => {
      const sum = metadata["crc32"];
      if (sum === undefined) return;
      let crc = 0;
      for (let at = dataStart; at < bytes; at += 1 << 24)
        crc = crc32(await readAt(file, at, Math.min(1 << 24, bytes - at), path), crc);
      if (hex(crc) !== sum)
        throw fail("checkpoint", `${path} is damaged: its checksum does not match its bytes`, another);
    };
    return { path, tensors, metadata, read, pieces, verify, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What to write: each tensor's type, and a function that brings one tensor when its turn comes. */
export interface SafetensorsContent {
  readonly types: ReadonlyMap<string, Type>;
  value(name: string): Nd | Promise<Nd>;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Store float tensors in this type; by default as they come. */
  readonly floats?: "f32" | "f16" | "bf16";
  /** Also store a checksum of the bytes, for `verify`. */
  readonly checksum?: boolean;
}

const storedNames: Readonly<Record<Dtype, StoredDtype>> = {
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  i32: "I32",
  i64: "I64",
  u32: "U32",
  bool: "BOOL",
};
const storedAs = (dtype: Dtype, floats?: "f32" | "f16" | "bf16"): Dtype =>
  floats && (dtype === "f32" || dtype === "f16" || dtype === "bf16") ? floats : dtype;

/** Bytes of the data part of a file with these tensors. */
export const safetensorsBytes = (types: Iterable<Type>, floats?: "f32" | "f16" | "bf16"): number => {
  let total = 0;
  for (const { dtype, shape } of types) total += size(shape) * bytesOf[storedAs(dtype, floats)];
  return total;
};

/** Write a weights file in one instant (temporary name, sync, rename). Throws code disk; an older file of that name is then intact. */
export const writeSafetensors = (path: string, content: SafetensorsContent): Promise<void> =>
  replaceFile(path, (file) => writeTo(file, content));

/** Write the format into an open file: widest elements first, so that every tensor lies aligned. */
export async function writeTo(file: FileHandle, content: SafetensorsContent): Promise<void> {
  const { types, value, metadata = {}, floats, checksum = false } = content;
  const order = [...types].sort(
    ([, a], [, b]) => bytesOf[storedAs(b.dtype, floats)] - bytesOf[storedAs(a.dtype, floats)],
  );
  const header = Object.create(null) as Record<string, unknown>;
  const blank = "-".repeat(8);
  const notes = checksum ? { ...metadata, crc32: blank } : metadata;
  if (Object.keys(notes).length) header["__metadata__"] = notes;
  let offset = 0;
  for (const [name, { dtype, shape }] of order) {
    const as = storedAs(dtype, floats);
    const begin = offset;
    offset += size(shape) * bytesOf[as];
    header[name] = { dtype: storedNames[as], shape, data_offsets: [begin, offset] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  json.copy(padded, 8);
  await writeAll(file, padded);
  let crc = 0;
  for (const [name, type] of order) {
    const bytes = encode(await value(name), type, storedAs(type.dtype, floats), name);
    if (checksum) crc = crc32(bytes, crc);
    await writeAll(file, bytes);
  }
  const place = checksum ? padded.indexOf(`"crc32":"${blank}"`) : -1;
  if (place >= 0) await writeAll(file, Buffer.from(hex(crc)), place + `"crc32":"`.length);
}
const hex = (crc: number) => (crc >>> 0).toString(16).padStart(8, "0");

function encode(x: Nd, type: Type, as: Dtype, name: string): Uint8Array {
  if (x.dtype !== type.dtype || x.data.length !== size(type.shape))
    throw fail("internal", `${name} was announced as ${type.dtype}[${type.shape}], got ${x.dtype}[${x.shape}]`);
  const same = x.dtype === as;
  const data = same ? x.data : narrow(x, as, name);
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

function narrow(x: Nd, as: Dtype, name: string): Nd["data"] {
  const wide = x.dtype === "f32" ? x.data : widen(x.data as Uint16Array, x.dtype as "f16" | "bf16");
  const out = arrayOf(as, wide.length) as Float32Array;
  const convert = as === "f16" ? toHalf : as === "bf16" ? toBfloat : (v: number) => v;
  for (let i = 0; i < out.length; i++) {
    const value = wide[i] as number;
    if (as === "f16" && Math.abs(value) >= 65520 && Number.isFinite(value))
      throw fail("non-finite", `${value} is too large for f16`, "store the weights as f32", name);
    out[i] = convert(value);
  }
  return out;
}

async function readAt(file: FileHandle, position: number, length: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await fill(file, bytes, position, path);
  return bytes;
}

async function fill(file: FileHandle, bytes: Uint8Array, position: number, path: string): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(1 << 26, bytes.length - at), position + at);
    if (!bytesRead) throw fail("checkpoint", `${path} ends ${bytes.length - at} bytes too early`, another);
    at += bytesRead;
  }
}
