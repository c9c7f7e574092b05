/** Documents into rows of one length: whole ones side by side, longer ones cut, no token lost. */
import { existsSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../ir/index.js";
import { openNumbers } from "./pages.js";
import { diskError, type Tokens } from "./shards.js";

/** A run of one document's ids inside a row. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** Whether the document begins here. */
  readonly opens: boolean;
}

export interface Packing {
  readonly rows: number;
  /** Ids in all rows, over their places: what padding leaves. */
  readonly filled: number;
  /** The pieces of a row. */
  row(index: number): Piece[];
  close(): void;
}

/** Documents that are fitted together at a time: enough to fill rows to about 99 %, and a bound on memory. */
const windowSize = 4096;

/**
 * Packs documents into rows of `length` places, each piece taking `overhead` more than its ids (such as [CLS] and [SEP]):
 * best fit, longest first, among neighbours in the corpus. The result is kept in files beside the ids. Throws "source" when
 * the corpus does not fill one row.
 */
export async function pack(tokens: Tokens, o: { length: number; overhead: number }): Promise<Packing> {
  const { header } = tokens;
  const total = header.tokens + o.overhead * header.documents;
  if (total < o.length)
    throw fail(
      "source",
      `the corpus has ${total} tokens, less than one context of ${o.length}`,
      `add text, or use a contextLength of at most ${total}`,
    );
  const name = join(tokens.folder, `packed-${o.length}-${o.overhead}`);
  if (!existsSync(`${name}.rows.bin`))
    await writePacking(name, tokens, o.length, o.overhead).catch((error) => {
      throw diskError(error, tokens.folder);
    });
  const pieces = openNumbers(`${name}.pieces.bin`, "f64"); // pairs: first id, length (negative when it goes on a document)
  const rows = openNumbers(`${name}.rows.bin`, "f64"); // first piece of each row, then the number of pieces
  return {
    rows: rows.length - 1,
    filled: header.tokens / ((rows.length - 1) * o.length),
    row(index) {
      const last = rows.number(index + 1);
      const found: Piece[] = [];
      for (let p = rows.number(index); p < last; p++) {
        const start = pieces.number(2 * p);
        const length = pieces.number(2 * p + 1);
        found.push({ start, end: start + Math.abs(length), opens: length > 0 });
      }
      return found;
    },
    close() {
      pieces.close();
      rows.close();
    },
  };
}

async function writePacking(name: string, tokens: Tokens, length: number, overhead: number): Promise<void> {
  const partial = `.partial-${process.pid}`;
  const files = [`${name}.pieces.bin`, `${name}.rows.bin`];
  const [pieces, rows] = await Promise.all(files.map((file) => open(file + partial, "w")));
  let count = 0;
  for (let document = 0; document < tokens.header.documents; document += windowSize) {
    const until = Math.min(document + windowSize, tokens.header.documents);
    const firsts: number[] = [];
    const numbers: number[] = [];
    for (const row of bestFit(cut(tokens, document, until, length - overhead), length, overhead)) {
      firsts.push(count);
      count += row.length;
      for (const piece of row) numbers.push(piece.start, (piece.end - piece.start) * (piece.opens ? 1 : -1));
    }
    await pieces!.writeFile(bytesOf(numbers));
    await rows!.writeFile(bytesOf(firsts));
  }
  await rows!.writeFile(bytesOf([count]));
  for (const file of [pieces!, rows!]) {
    await file.sync();
    await file.close();
  }
  // rows last: they are what says that the packing is there
  for (const file of files) await rename(file + partial, file);
}

const bytesOf = (numbers: readonly number[]) => new Uint8Array(Float64Array.from(numbers).buffer);

/** Documents [from, until) in pieces of at most `room` ids. */
function cut(tokens: Tokens, from: number, until: number, room: number): Piece[] {
  const pieces: Piece[] = [];
  for (let document = from; document < until; document++) {
    const first = tokens.offset(document);
    const end = tokens.offset(document + 1);
    for (let at = first; at < end; at += room)
      pieces.push({ start: at, end: Math.min(end, at + room), opens: at === first });
  }
  return pieces;
}

/** Best fit decreasing (Johnson, 1973): each piece, longest first, into the open row it leaves least space in. */
function bestFit(pieces: Piece[], length: number, overhead: number): Piece[][] {
  const rows: Piece[][] = [];
  const openWith: Piece[][][] = Array.from({ length: length + 1 }, () => []);
  const cost = (piece: Piece) => piece.end - piece.start + overhead;
  for (const piece of pieces.sort((a, b) => cost(b) - cost(a) || a.start - b.start)) {
    let space = cost(piece);
    while (space < length && !openWith[space]!.length) space++;
    let row = openWith[space]!.pop();
    if (!row) {
      row = [];
      rows.push(row);
      space = length;
    }
    row.push(piece);
    openWith[space - cost(piece)]!.push(row);
  }
  return rows;
}
