/**
 * Reads numbers from a file by position. Node has no memory mapping; a positional read of bytes that were read before is
 * served from the operating system's page cache, the same memory a mapping would show, and a few pages are kept here so
 * that neighbouring reads cost no system call. What is held does not grow with the file.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

// small pages, since training reads in random order: 4 MB a file at most
const pageBytes = 1 << 13;
const pagesKept = 512;

export interface NumberFile {
  readonly length: number;
  /** Copies numbers [start, end) into `out` from `at`. */
  read(start: number, end: number, out: Int32Array | Float64Array, at?: number): void;
  number(index: number): number;
  close(): void;
}

type Kind = "u16" | "u32" | "f64";
const bytesOf = { u16: 2, u32: 4, f64: 8 } as const;

/** Opens a file of little-endian numbers. Throws what `openSync` throws. */
export function openNumbers(path: string, kind: Kind): NumberFile {
  const file = openSync(path, "r");
  const width = bytesOf[kind];
  const length = Math.floor(fstatSync(file).size / width);
  const perPage = pageBytes / width;
  const pages = new Map<number, Uint16Array | Uint32Array | Float64Array>();
  const page = (number: number) => {
    let found = pages.get(number);
    if (found) return found;
    const bytes = new ArrayBuffer(pageBytes);
    readSync(file, new Uint8Array(bytes), 0, pageBytes, number * pageBytes);
    found = kind === "u16" ? new Uint16Array(bytes) : kind === "u32" ? new Uint32Array(bytes) : new Float64Array(bytes);
    if (pages.size >= pagesKept) pages.delete(pages.keys().next().value!);
    pages.set(number, found);
    return found;
  };
  return {
    length,
    number: (index) => page(Math.floor(index / perPage))[index % perPage]!,
    read(start, end, out, at = 0) {
      for (let i = start; i < end; ) {
        const from = i % perPage;
        const count = Math.min(end - i, perPage - from);
        out.set(page(Math.floor(i / perPage)).subarray(from, from + count), at + i - start);
        i += count;
      }
    },
    close: () => closeSync(file),
  };
}
