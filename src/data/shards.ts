/** A corpus as token ids on disk: written once, found again by what it was made of, read in place. */
import { createHash } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail } from "../ir/index.js";
import { makeFolder } from "../models/index.js";
import { openNumbers } from "./pages.js";
import type { Document } from "./row.js";
import type { Tokenizer } from "./tokenizer.js";

/** What a shard folder's header.json says. */
export interface ShardHeader {
  readonly version: 1;
  /** Hash of the tokeniser that made the ids. */
  readonly tokenizer: string;
  readonly dtype: "u16" | "u32";
  readonly tokens: number;
  readonly documents: number;
  /** Documents without a single token: left out, and counted here. */
  readonly empty: number;
  /** UTF-8 bytes of the text, for bits per byte. */
  readonly bytes: number;
  /** Tokens that are the unknown token. */
  readonly unknown: number;
  /** The id written after every document, if any. */
  readonly end: number | null;
  /** sha256 of the text of all documents in order. */
  readonly content: string;
}

/** An open corpus: documents one after the other as one long row of ids. Close it when done. */
export interface Tokens {
  readonly header: ShardHeader;
  readonly folder: string;
  /** Token at which document `index` starts; `offset(documents)` is the total. */
  offset(index: number): number;
  /** Copies ids [start, end) into `out` from `at`. */
  read(start: number, end: number, out: Int32Array, at?: number): void;
  close(): void;
}

export interface ShardOptions {
  readonly tokenizer: Tokenizer;
  /** The folder to write; it appears only when complete. */
  readonly folder: string;
  /** Write this id after every document, as a causal model needs. */
  readonly end?: number;
  /** Called with documents and tokens so far, about every few hundred documents. */
  readonly progress?: (documents: number, tokens: number) => void;
}

const batchCharacters = 1 << 20;

/** Encodes documents into a folder, replacing what was there only when done. Throws "disk" when it cannot write. */
export async function writeShards(documents: AsyncIterable<Document>, o: ShardOptions): Promise<Tokens> {
  const partial = `${o.folder}.partial-${process.pid}`;
  try {
    await rm(partial, { recursive: true, force: true });
    await makeFolder(partial);
    await fill(partial, documents, o);
    await replace(partial, o.folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw diskError(error, o.folder);
  }
  return openShards(o.folder, o.tokenizer);
}

async function replace(partial: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder).catch(async (error) => {
    // another run has just put the same tokens there: its folder serves as well
    if (!(await stat(join(folder, "header.json")).catch(() => undefined))) throw error;
    await rm(partial, { recursive: true, force: true });
  });
  await syncFolder(dirname(folder));
}

const diskCodes: Record<string, string> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "no permission to write",
  EPERM: "no permission to write",
  EROFS: "the disk is read-only",
  ENOTDIR: "a file stands in the way",
  EEXIST: "a file stands in the way",
};

/** A system error about writing in our words; any other error as it is. */
export function diskError(error: unknown, at: string): unknown {
  const why = diskCodes[(error as NodeJS.ErrnoException).code ?? ""];
  return why ? fail("disk", `${why} while writing token shards`, "free space or choose another folder", at) : error;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  // a folder cannot be synced on every system; the rename is atomic all the same
  await handle.sync().catch(() => undefined);
  await handle.close();
}

async function fill(folder: string, documents: AsyncIterable<Document>, o: ShardOptions): Promise<void> {
  const dtype = o.tokenizer.vocabSize <= 2 ** 16 ? "u16" : "u32";
  const ids = await open(join(folder, "tokens.bin"), "w");
  const offsets = await open(join(folder, "offsets.bin"), "w");
  const content = createHash("sha256");
  const count = { tokens: 0, documents: 0, empty: 0, bytes: 0, unknown: 0 };
  let length = 0; // of the document under way, which may come in several pieces
  try {
    await offsets.write(new Float64Array([0]));
    for await (const batch of batched(documents)) {
      const encoded = await o.tokenizer.encodeBatch(batch.map((document) => document.text));
      const starts: number[] = [];
      const out: number[] = [];
      for (const [i, document] of batch.entries()) {
        content.update(document.text).update(document.more ? "" : "\0");
        count.bytes += Buffer.byteLength(document.text);
        for (const id of encoded[i]!) {
          out.push(id);
          if (id === o.tokenizer.special.unk) count.unknown++;
        }
        length += encoded[i]!.length;
        if (document.more) continue;
        if (length > 0) {
          if (o.end !== undefined) out.push(o.end);
          starts.push(count.tokens + out.length);
          count.documents++;
        } else count.empty++;
        length = 0;
      }
      count.tokens += out.length;
      await append(ids, dtype === "u16" ? Uint16Array.from(out) : Uint32Array.from(out));
      await append(offsets, Float64Array.from(starts));
      o.progress?.(count.documents, count.tokens);
    }
    await ids.sync();
    await offsets.sync();
  } finally {
    await ids.close();
    await offsets.close();
  }
  const { hash: tokenizer } = o.tokenizer;
  const end = o.end ?? null;
  const header: ShardHeader = { version: 1, tokenizer, dtype, ...count, end, content: content.digest("hex") };
  const file = await open(join(folder, "header.json"), "w");
  await file.writeFile(`${JSON.stringify(header, null, 2)}\n`);
  await file.sync();
  await file.close();
}

async function append(file: FileHandle, data: Uint16Array | Uint32Array | Float64Array): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
}

/** Documents in groups of about a million characters: enough to keep every core busy, little enough to hold. */
async function* batched(documents: AsyncIterable<Document>): AsyncGenerator<Document[]> {
  let batch: Document[] = [];
  let size = 0;
  for await (const document of documents) {
    batch.push(document);
    size += document.text.length + 16;
    if (size < batchCharacters) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length) yield batch;
}

/** Opens a shard folder. Throws "source" when it is absent or incomplete, "tokenizer" when another tokeniser made it. */
export async function openShards(folder: string, tokenizer?: Tokenizer): Promise<Tokens> {
  const help = "delete the folder: it is written again from the text";
  const text = await readFile(join(folder, "header.json"), "utf8").catch(() => undefined);
  if (text === undefined) throw fail("source", "there are no token shards here", help, folder);
  const header = JSON.parse(text) as ShardHeader;
  if (tokenizer && header.tokenizer !== tokenizer.hash)
    throw fail("tokenizer", "these token shards were made by another tokeniser", help, folder);
  const ids = openNumbers(join(folder, "tokens.bin"), header.dtype);
  const offsets = openNumbers(join(folder, "offsets.bin"), "f64");
  if (ids.length !== header.tokens || offsets.length !== header.documents + 1) {
    ids.close();
    offsets.close();
    throw fail("source", `the token shards are cut short: ${ids.length} of ${header.tokens} tokens`, help, folder);
  }
  return {
    header,
    folder,
    offset: offsets.number,
    read: ids.read,
    close() {
      ids.close();
      offsets.close();
    },
  };
}

/** Opens the shards for `key` (anything that says what the text is) in a cache folder, writing them first if need be. */
export async function cachedShards(
  documents: () => AsyncIterable<Document>,
  o: Omit<ShardOptions, "folder"> & { cache: string; key: string },
): Promise<Tokens> {
  const key = createHash("sha256")
    .update(`1\0${o.key}\0${o.tokenizer.hash}\0${o.end ?? ""}`)
    .digest("hex");
  const folder = join(o.cache, key.slice(0, 24));
  if (await stat(join(folder, "header.json")).catch(() => undefined)) return openShards(folder, o.tokenizer);
  return writeShards(documents(), { ...o, folder });
}
