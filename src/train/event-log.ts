/** events.jsonl: one event a line, appended as it happens, cut back to the checkpoint when a run goes on. */
import { closeSync, fsync, openSync, writeSync } from "node:fs";
import { readFile, truncate } from "node:fs/promises";
import { promisify } from "node:util";
import { diskError, writing } from "../models/index.js";
import type { TrainEvent } from "./events.js";

export interface EventLog {
  /** Append an event, with the time. Survives the end of this process; `sync` makes it survive a power cut. */
  append(event: TrainEvent): void;
  sync(): Promise<void>;
  /** Forget what happened after `step`; an unfinished last line too. */
  cutAfter(step: number): Promise<void>;
  close(): Promise<void>;
}

/** Open a log for appending. Throws code disk. */
export async function openEventLog(path: string): Promise<EventLog> {
  const file = await writing(path, async () => openSync(path, "a"));
  let open = true;
  const sync = () => writing(path, () => promisify(fsync)(file));
  return {
    append(event) {
      const line = Buffer.from(`${JSON.stringify({ ...event, time: new Date().toISOString() })}\n`);
      try {
        for (let at = 0; at < line.length; ) at += writeSync(file, line, at);
      } catch (error) {
        throw diskError(error, path);
      }
    },
    sync,
    async cutAfter(step) {
      const text = await readFile(path);
      let end = 0;
      for (let at = text.indexOf(10); at >= 0 && isUntil(step, text.subarray(end, at)); at = text.indexOf(10, end))
        end = at + 1;
      if (end < text.length) await writing(path, () => truncate(path, end));
    },
    async close() {
      if (!open) return;
      open = false;
      closeSync(file);
    },
  };
}

/** Is this line an event of `step` or before? */
function isUntil(step: number, line: Buffer): boolean {
  try {
    return (JSON.parse(line.toString()) as TrainEvent).step <= step;
  } catch {
    return false;
  }
}
