/** Opens a model folder's weights on an engine, or reads its file twice; prints the time, and how much the process grew at most. */
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { openBase } from "../src/jobs/base.js";
import { parametersOf } from "../src/models/index.js";
import { engines } from "../src/runtime/index.js";

const [folder, side] = process.argv.slice(2) as [string, "twice" | keyof typeof engines];

/** The most memory this process had, in bytes: Linux says it exactly, and starts anew when told to. */
function peak(): number {
  const line = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line?.[1]) * 1024;
}

/** A whole file into memory of its own. */
async function drain(path: string): Promise<Uint8Array> {
  await using file = await open(path);
  const bytes = new Uint8Array((await file.stat()).size);
  for (let at = 0; at < bytes.length; )
    at += (await file.read(bytes, at, Math.min(1 << 26, bytes.length - at), at)).bytesRead;
  return bytes;
}

async function measured(work: () => Promise<unknown>): Promise<void> {
  const before = process.memoryUsage().rss;
  const from = performance.now();
  await work();
  const milliseconds = performance.now() - from;
  console.log(JSON.stringify({ milliseconds, grown: Math.max(0, peak() - before) }));
}

if (side === "twice")
  await measured(async () => {
    for (let i = 0; i < 2; i++) await drain(join(folder, "model.safetensors"));
  });
else {
  const base = await openBase(folder);
  const engine = engines[side];
  // what an engine takes for itself is not what a model takes
  await (await engine.open(new Map()))[Symbol.asyncDispose]();
  const wanted = parametersOf(base.family, base.config);
  await measured(() => base.open(engine, wanted));
}
process.exit(0);
