/** The header of a safetensors file, and everything that can be wrong with it. */
import { z } from "zod";
import { fail, type Shape } from "../ir/index.js";

const bits = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  F64: 64,
  C64: 64,
  I64: 64,
  U64: 64,
} as const;
/** The element types the format knows. */
export type StoredDtype = keyof typeof bits;

/** One tensor as a file describes it; offsets count from the end of the header. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}
export interface Header {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly dataStart: number;
}

const count = z.number().int().nonnegative();
const entry = z.strictObject({
  dtype: z.enum(Object.keys(bits) as [StoredDtype, ...StoredDtype[]]),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const longest = 100_000_000;
const another = "the file is truncated, damaged or not safetensors: download or save it again, or name another file";

/** Read and check the header of a file of `bytes` bytes. Throws code checkpoint, naming the file and the tensor. */
export async function parseHeader(
  path: string,
  bytes: number,
  read: (at: number, length: number) => Promise<Uint8Array>,
): Promise<Header> {
  const wrong = (what: string, at?: string) => fail("checkpoint", `${path}: ${what}`, another, at);
  if (bytes < 8) throw wrong(`${bytes} bytes are too few for a header`);
  const length = Number(Buffer.from(await read(0, 8)).readBigUInt64LE());
  if (length > longest) throw wrong(`its header claims ${length} bytes; no header is that long`);
  if (length < 2 || 8 + length > bytes)
    throw wrong(`its header claims ${length} bytes, but the file has ${bytes - 8} after the length`);
  const json = parse(await read(8, length), wrong);
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json))
    if (name === "__metadata__") {
      const strings = z.record(z.string(), z.string()).safeParse(value);
      if (!strings.success) throw wrong("__metadata__ holds something other than text");
      metadata = strings.data;
    } else
      tensors.set(
        name,
        tensor(value, (what) => wrong(what, name)),
      );
  covers(tensors, bytes - 8 - length, wrong);
  return { tensors, metadata, dataStart: 8 + length };
}

type Wrong = (what: string, at?: string) => Error;

function parse(header: Uint8Array, wrong: Wrong): object {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (error) {
    throw wrong(`its header is not JSON (${(error as Error).message})`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong("its header is not a JSON object");
  return json;
}

function tensor(value: unknown, wrong: (what: string) => Error): StoredTensor {
  const parsed = entry.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw wrong(`the header entry is wrong: ${issue.path.join(".") || "entry"}: ${issue.message}`);
  }
  const { dtype, shape, data_offsets } = parsed.data;
  const [begin, end] = data_offsets;
  const elements = shape.reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(elements)) throw wrong(`[${shape}] has more elements than can be counted`);
  if (end < begin) throw wrong(`its bytes end at ${end}, before they begin at ${begin}`);
  const needed = (elements * bits[dtype]) / 8;
  if (end - begin !== needed)
    throw wrong(`${dtype}[${shape}] needs ${needed} bytes, the header gives it ${end - begin}`);
  return { dtype, shape, begin, end };
}

function covers(tensors: ReadonlyMap<string, StoredTensor>, bytes: number, wrong: Wrong): void {
  let at = 0;
  for (const [name, { begin, end }] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at)
      throw wrong(`${begin < at ? "two tensors share bytes" : "bytes belong to no tensor"} at ${at}`, name);
    at = end;
  }
  if (at !== bytes) throw wrong(`the header describes ${at} bytes of weights, the file has ${bytes}`);
}
