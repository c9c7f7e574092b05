/** A file of vectors: JSON lines with their texts, a NumPy array, or safetensors. */
import type { FileHandle } from "node:fs/promises";
import { extname } from "node:path";
import { fail, type Nd } from "../ir/index.js";
import { replaceFile, writeAll, writeSafetensors } from "../models/index.js";
import type { Embedding } from "./embedder.js";

type Written = AsyncIterable<Embedding>;
const writers: Readonly<Record<string, (path: string, vectors: Written) => Promise<number>>> = {
  ".jsonl": writeLines,
  ".npy": writeNumpy,
  ".safetensors": writeTensors,
};

/** Throws `usage` for a name that does not say in which format to write. */
export function requireWriter(path: string): void {
  if (!Object.hasOwn(writers, extname(path)))
    throw fail(
      "usage",
      `vectors are not written to ${path}`,
      `name a file that ends in ${Object.keys(writers).join(", ")}`,
    );
}

/** Write vectors [N D], whole or not at all, in the format of the name; returns N. Throws `usage` for an unknown one, `disk`. */
export async function writeVectors(path: string, vectors: Written): Promise<number> {
  requireWriter(path);
  return await writers[extname(path)]!(path, vectors);
}

/** An embedding as a line of JSON. */
export const lineOf = ({ vector, ...rest }: Embedding) => ({ ...rest, vector: Array.from(vector) });

async function writeLines(path: string, vectors: Written): Promise<number> {
  let count = 0;
  await replaceFile(path, async (file) => {
    for await (const one of vectors) {
      await file.write(`${JSON.stringify(lineOf(one))}\n`);
      count++;
    }
  });
  return count;
}

/** NumPy's format, version 1.0: a header of fixed size, which is filled in when the number of rows is known. */
async function writeNumpy(path: string, vectors: Written): Promise<number> {
  const headerBytes = 128;
  let [count, width] = [0, 0];
  await replaceFile(path, async (file) => {
    let at = headerBytes;
    for await (const { vector } of vectors) {
      await writeAll(file, bytesOf(vector), at);
      at += vector.byteLength;
      width = vector.length;
      count++;
    }
    await writeHeader(file, headerBytes, `{'descr': '<f4', 'fortran_order': False, 'shape': (${count}, ${width}), }`);
  });
  return count;
}

async function writeHeader(file: FileHandle, bytes: number, text: string): Promise<void> {
  const header = Buffer.alloc(bytes, " ");
  header.write("\x93NUMPY\x01\x00", "latin1");
  header.writeUInt16LE(bytes - 10, 8);
  header.write(text, 10, "latin1");
  header.write("\n", bytes - 1);
  await writeAll(file, header, 0);
}

async function writeTensors(path: string, vectors: Written): Promise<number> {
  const all: Float32Array[] = [];
  for await (const { vector } of vectors) all.push(vector);
  const width = all[0]?.length ?? 0;
  const data = new Float32Array(all.length * width);
  for (const [i, vector] of all.entries()) data.set(vector, i * width);
  const embeddings: Nd = { dtype: "f32", shape: [all.length, width], data };
  await writeSafetensors(path, { types: new Map([["embeddings", embeddings]]), value: () => embeddings });
  return all.length;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
