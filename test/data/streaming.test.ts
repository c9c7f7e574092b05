/** Slow: a corpus larger than the memory its reader may use. */
import { execFileSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";
import { expect, test } from "vitest";
import { random } from "../../src/data/index.js";
import { temporary } from "../temporary.js";

const folder = temporary("plinth-streaming-");
const heapLimit = 64; // MiB

/** About `megabytes` of JSON lines, of words so long that encoding them is quick. */
function* lines(megabytes: number): Generator<string> {
  const rng = random(1);
  const words = Array.from({ length: 40 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(90 + i));
  for (let written = 0; written < megabytes * 2 ** 20; ) {
    const chunk = Array.from({ length: 64 }, () => {
      const text = Array.from({ length: 12 }, () => words[rng.below(40)]).join(" ");
      return `${JSON.stringify({ text })}\n`;
    }).join("");
    written += chunk.length;
    yield chunk;
  }
}

test("a corpus of twice the memory allowed is read, encoded and batched", { timeout: 180_000 }, async () => {
  const corpus = join(folder(), "corpus.jsonl.gz");
  await pipeline(Readable.from(lines(2 * heapLimit)), createGzip({ level: 1 }), createWriteStream(corpus));
  const child = fileURLToPath(new URL("streaming-child.ts", import.meta.url));
  const out = execFileSync(
    process.execPath,
    [`--max-old-space-size=${heapLimit}`, "--import", "jiti/register", child, corpus, join(folder(), "shards")],
    { encoding: "utf8" },
  );
  const { bytes, grownMB } = JSON.parse(out) as { bytes: number; grownMB: number };
  expect(bytes).toBeGreaterThan(1.9 * heapLimit * 2 ** 20);
  // what lies outside the JavaScript heap (file buffers, strings on their way to the encoder) must not grow either
  expect(grownMB).toBeLessThan(heapLimit);
});
