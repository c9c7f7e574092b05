/** A run folder: what was asked, on what machine, what happened, checkpoints, the model; one process at a time. */
import { readFileSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { fail, type PlinthError } from "../ir/index.js";
import { makeFolder, replaceFile } from "../models/index.js";
import { type EventLog, openEventLog } from "./event-log.js";
import type { TrainEvent } from "./events.js";
import { lock } from "./lock.js";

/** What a run is: enough to run it again and get the same numbers. */
export interface RunSettings {
  /** The resolved configuration, as JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly seeds: Readonly<Record<string, number>>;
  /** Hashes of the data, by source. */
  readonly data: Readonly<Record<string, string>>;
  /** The engine, and the versions of packages that the numbers depend on. */
  readonly versions?: Readonly<Record<string, string>>;
}
const strings = z.record(z.string(), z.string());
const recordSchema = z.object({
  plinth: z.string(),
  created: z.string(),
  config: z.record(z.string(), z.unknown()),
  seeds: z.record(z.string(), z.number()),
  data: strings,
  versions: strings,
  machine: z.object({ cpu: z.string(), cores: z.number(), memory: z.number(), system: z.string() }),
});
/** The content of run.json. */
export type RunRecord = z.infer<typeof recordSchema>;

/** An open run folder, locked against other processes until it is closed. */
export interface RunFolder extends AsyncDisposable {
  readonly path: string;
  readonly record: RunRecord;
  /** Whether the run was there before. */
  readonly resumed: boolean;
  /** Of a run that goes on: what is no more as it was, and may change last bits. */
  readonly warnings: readonly string[];
  readonly checkpoints: string;
  readonly model: string;
  readonly log: EventLog;
  close(): Promise<void>;
}

export interface OpenRunOptions {
  /** `new`: a folder that holds a run is an error. `resume`: go on with it, or start it. `replace`: throw the old run away. */
  readonly mode?: "new" | "resume" | "replace";
}

/** What is said of a folder that holds a run already. */
export const inUse = (path: string): PlinthError =>
  fail(
    "run",
    "this folder already holds a run",
    "resume it (--resume), replace it (--replace), or choose another folder",
    path,
  );

/** Make or reopen a run folder. Throws code run: locked, already used, or asked to resume with other settings; code disk. */
export async function openRun(
  path: string,
  settings: RunSettings,
  { mode = "new" }: OpenRunOptions = {},
): Promise<RunFolder> {
  const there = await exists(join(path, "run.json"));
  if (there && mode === "new") throw inUse(path);
  const checkpoints = join(path, "checkpoints");
  await makeFolder(checkpoints);
  const release = await lock(join(path, "lock"));
  try {
    const resumed = there && mode === "resume";
    if (there && mode === "replace") await clear(path);
    await makeFolder(checkpoints);
    const record = resumed ? await sameRun(path, settings) : await freshRecord(path, settings);
    const log = await openEventLog(join(path, "events.jsonl"));
    const close = async () => {
      await log.close();
      await release();
    };
    const model = join(path, "model");
    const warnings = resumed ? moved(record, settings) : [];
    return { path, record, resumed, warnings, checkpoints, model, log, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The content of a folder's run.json. Throws code run when there is none or it is damaged. */
export async function readRun(path: string): Promise<RunRecord> {
  const file = join(path, "run.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) throw fail("run", "this folder holds no run", "name a folder with a run.json in it", path);
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    throw fail("run", "run.json is damaged or of another program", "start the run again in another folder", file);
  }
}

/** What has happened in a run so far, oldest first; a line cut short by a crash is left out. */
export async function readEvents(path: string): Promise<TrainEvent[]> {
  const text = await readFile(join(path, "events.jsonl"), "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      return line ? [JSON.parse(line) as TrainEvent] : [];
    } catch {
      return [];
    }
  });
}

/** Of a run that is replaced only what a run writes is removed; other files in the folder stay. */
async function clear(path: string): Promise<void> {
  const written = ["run.json", "events.jsonl", "checkpoints", "model", "adapter", "results.json", "report.html"];
  const batches = (await readdir(path)).filter((name) => /^non-finite-step-\d+\.safetensors$/.test(name));
  for (const name of [...written, ...batches]) await rm(join(path, name), { recursive: true, force: true });
}

async function freshRecord(path: string, settings: RunSettings): Promise<RunRecord> {
  const { config, seeds, data, versions = {} } = settings;
  const plinth = ownVersion();
  const record: RunRecord = {
    plinth,
    created: new Date().toISOString(),
    config: plain(config),
    seeds: { ...seeds },
    data: { ...data },
    versions: { plinth, node: process.versions.node, ...versions },
    machine: machine(),
  };
  await replaceFile(join(path, "run.json"), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

async function sameRun(path: string, { config, seeds, data }: RunSettings): Promise<RunRecord> {
  const record = await readRun(path);
  const changed = [
    ...differing(record.config, plain(config), "config"),
    ...differing(record.seeds, seeds, "seeds"),
    ...differing(record.data, data, "data"),
  ];
  if (changed.length)
    throw fail(
      "run",
      `this folder holds another run: ${changed.join("; ")}`,
      "resume it with the settings it was started with, or choose another folder",
      path,
    );
  return record;
}

/** Another processor, core count or version computes the same numbers, but perhaps not to the last bit. */
function moved(record: RunRecord, { versions = {} }: RunSettings): string[] {
  const { cpu, cores } = machine();
  const now = { plinth: ownVersion(), node: process.versions.node, ...versions };
  const changed = [
    ...differing({ cpu: record.machine.cpu, cores: record.machine.cores }, { cpu, cores }, "machine"),
    ...differing(record.versions, now, "versions"),
  ];
  return changed.length ? [`the run began elsewhere, so its last bits may differ: ${changed.join("; ")}`] : [];
}

const plain = (config: RunSettings["config"]): Record<string, unknown> => JSON.parse(JSON.stringify(config));
type Settings = Readonly<Record<string, unknown>>;

function differing(was: Settings, is: Settings, path: string): string[] {
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names.flatMap((name) => {
    const [a, b] = [was[name], is[name]];
    if (isRecord(a) && isRecord(b)) return differing(a, b, `${path}.${name}`);
    return JSON.stringify(a) === JSON.stringify(b)
      ? []
      : [`${path}.${name} was ${JSON.stringify(a) ?? "absent"}, now ${JSON.stringify(b) ?? "absent"}`];
  });
}
const isRecord = (x: unknown): x is Settings => typeof x === "object" && x !== null && !Array.isArray(x);
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What the numbers and the speed depend on; not who or where. */
const machine = (): RunRecord["machine"] => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memory: totalmem(),
  system: `${process.platform} ${process.arch}`,
});

const ownVersion = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
