/** Runs side by side: what their folders record, as facts for a report. */
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fail } from "../ir/index.js";
import { isLocked, type RunRecord, readEvents, readRun, type TrainEvent } from "../train/index.js";
import { type Curve, readCurve } from "./curve.js";
import type { DataFacts, ReportFacts, RunFacts } from "./facts.js";
import { wattsPerCore } from "./meter.js";
import type { Table } from "./table.js";

/** What a folder holds: a run, a curve (`curve.json`), or both. */
export interface Compared {
  readonly name: string;
  readonly run?: RunFacts;
  readonly record?: RunRecord;
  readonly curve?: Curve;
  /** The record of the curve's first run that lies beside it. */
  readonly within?: RunRecord;
}

/**
 * The facts of runs and curves in folders, in the order given, with a table of the settings in which they differ.
 * Throws `run` for a folder with neither run.json nor curve.json.
 */
export async function compare(folders: readonly string[], { date = new Date() } = {}): Promise<ReportFacts> {
  const names = distinct(folders);
  const found = await Promise.all(folders.map((folder, i) => readCompared(folder, names[i]!)));
  const runs = found.flatMap((f) => f.run ?? []);
  const curves = found.flatMap(({ name, curve }) => (curve ? [{ name, curve }] : []));
  const records = found.flatMap(({ name, record }) => (record ? [{ name, record }] : []));
  const differing = differences(records);
  const here = records[0]?.record ?? found.find((f) => f.within)?.within;
  const only = curves.length === 1 ? curves[0]!.curve : undefined;
  return {
    title: names.length === 1 ? names[0]! : `${names.length} runs side by side`,
    date,
    ...(only && { curve: only }),
    ...(curves.length > 1 && { curves }),
    runs,
    ...(differing && { tables: [differing] }),
    ...(only && { data: dataOf(only) }),
    ...(here && { environment: environment(here) }),
    limits: cautions(records),
  };
}

/** Read one folder. Throws `run`. */
async function readCompared(folder: string, name: string = basename(resolve(folder))): Promise<Compared> {
  const there = (file: string) =>
    stat(join(folder, file)).then(
      () => true,
      () => false,
    );
  const [isRun, isCurve] = [await there("run.json"), await there("curve.json")];
  if (!isRun && !isCurve)
    throw fail("run", "this folder holds no run", "name a folder with a run.json or a curve.json in it", folder);
  const record = isRun ? await readRun(folder) : undefined;
  const curve = isCurve ? await readCurve(join(folder, "curve.json")) : undefined;
  const inner = curve?.runs.find((r) => r.folder !== undefined)?.folder;
  const within = inner === undefined ? undefined : await readRun(join(folder, inner)).catch(() => undefined);
  return {
    name,
    ...(record && {
      record,
      run: runFacts(name, record, await readEvents(folder), { folder, alive: await isLocked(join(folder, "lock")) }),
    }),
    ...(curve && { curve }),
    ...(within && { within }),
  };
}

/** What a run's record and events say. `alive`: a process is at work in its folder. */
export function runFacts(
  name: string,
  record: RunRecord,
  events: readonly TrainEvent[],
  { folder, alive = false }: { readonly folder?: string; readonly alive?: boolean } = {},
): RunFacts {
  const of = <K extends TrainEvent["type"]>(type: K) =>
    events.filter((e): e is Extract<TrainEvent, { type: K }> => e.type === type);
  const started = of("started").at(-1);
  const steps = of("step");
  const scores = of("score");
  const stopped = of("stopped").at(-1);
  const result = scores.find((s) => s.step === stopped?.resultStep) ?? scores.at(-1);
  const tokens = steps.reduce((sum, e) => sum + e.tokens, 0);
  const seconds = steps.reduce((sum, e) => sum + e.milliseconds, 0) / 1000;
  const taken = steps.at(-1)?.step ?? 0;
  const seed = Object.values(record.seeds)[0];
  const text = (key: string) => (typeof record.config[key] === "string" ? (record.config[key] as string) : undefined);
  const model = text("family") ?? text("base");
  const threads = typeof record.config["threads"] === "number" ? record.config["threads"] : record.machine.cores;
  return {
    name,
    purpose: [text("kind") ?? "train", text("method") ?? text("objective") ?? text("task")].filter(Boolean).join(", "),
    ...(model && { model }),
    ...(started && { parameters: started.parameters, trainableParameters: started.trainable }),
    ...(seed !== undefined && { seed }),
    steps: taken,
    ended: ending(events, alive),
    losses: steps.map(({ step, loss }) => ({ step, loss })),
    scores: scores.map(({ step, scores }) => ({ step, scores })),
    ...(result && { result: result.scores }),
    samples: of("sample").map(({ step, text }) => ({ step, text })),
    cost: {
      tokens,
      seconds,
      joules: seconds * threads * wattsPerCore,
      ...(started && { flops: started.flopsPerStep * taken }),
    },
    ...(seconds > 0 && { tokensPerSecond: tokens / seconds }),
    warnings: [...of("warning").map((e) => e.message), ...unlearnt(stopped?.untrained ?? 0)],
    ...(folder !== undefined && { folder }),
  };
}

const unlearnt = (n: number): string[] =>
  n > 0 ? [`${n.toLocaleString("en")} examples had no trained token: they taught nothing`] : [];

function ending(events: readonly TrainEvent[], alive: boolean): string {
  if (alive) return "running";
  const last = events.at(-1);
  if (last?.type === "stopped") return last.reason === "early" ? "stopped early" : last.reason;
  return last?.type === "failed" ? `failed: ${last.code}` : "killed";
}

/** The parts of the data that a curve tells of. */
function dataOf({ runs, tested, data }: Curve): DataFacts[] {
  const sizes = [...new Set(runs.map((r) => r.size))].sort((a, b) => a - b);
  return [
    { name: data, use: "labelled", examples: sizes.at(-1) ?? 0, note: `subsets of ${sizes.join(", ")}` },
    { name: data, use: "validation", examples: tested.validation },
    { name: data, use: "test", examples: tested.test },
  ];
}

/** The last part of each path; the whole path where two would be the same. */
function distinct(folders: readonly string[]): string[] {
  const short = folders.map((f) => basename(resolve(f)));
  return short.map((name, i) => (short.indexOf(name) === short.lastIndexOf(name) ? name : folders[i]!));
}

type Named = { readonly name: string; readonly record: RunRecord };

/** Every setting, seed, data hash, version and machine part in which runs differ. */
function differences(records: readonly Named[]): Table | undefined {
  if (records.length < 2) return undefined;
  const flat = records.map(({ record: { config, seeds, data, versions, machine } }) => ({
    ...flatten(config, ""),
    ...flatten(seeds, "seed "),
    ...flatten(data, "data "),
    ...flatten(versions, "version of "),
    ...flatten(machine, "machine "),
  }));
  const keys = [...new Set(flat.flatMap((f) => Object.keys(f)))];
  const rows = keys
    .map((key) => [key, ...flat.map((f) => f[key] ?? "—")])
    .filter(([, first, ...rest]) => rest.some((value) => value !== first));
  return {
    title: "What differs",
    columns: [{ name: "setting" }, ...records.map(({ name }) => ({ name }))],
    rows,
    ...(rows.length === 0 && { note: "Nothing: the same settings, seeds, data, versions and machine." }),
  };
}

function flatten(value: Readonly<Record<string, unknown>>, path: string): Record<string, string> {
  const entries = Object.entries(value).map(([name, inner]): Record<string, string> => {
    const isRecord = typeof inner === "object" && inner !== null && !Array.isArray(inner);
    if (isRecord) return flatten(inner as Record<string, unknown>, `${path}${name}.`);
    const text = typeof inner === "string" ? inner : JSON.stringify(inner);
    // a hash is told by its beginning
    return { [`${path}${name}`]: text.replace(/^[0-9a-f]{64}$/, (hash) => `${hash.slice(0, 12)}…`) };
  });
  return Object.assign({}, ...entries);
}

const same = (records: readonly Named[], f: (r: RunRecord) => unknown): boolean =>
  new Set(records.map((r) => JSON.stringify(f(r.record)))).size <= 1;

/** What the figures of runs cannot say, and what makes a comparison unfair, where something does. */
function cautions(records: readonly Named[]): string[] {
  if (records.length === 0) return [];
  return [
    `The energy of single runs was not measured but estimated: seconds × threads × ${wattsPerCore} W.`,
    ...(same(records, (r) => r.data)
      ? []
      : ["These runs did not learn from the same data: their losses may not compare."]),
    ...(same(records, (r) => r.machine) ? [] : ["These runs ran on different machines: their seconds do not compare."]),
    ...(same(records, (r) => r.versions)
      ? []
      : ["These runs used different versions of plinth or what it depends on."]),
  ];
}

const environment = ({ machine, versions }: RunRecord): Record<string, string> => ({
  processor: `${machine.cpu}, ${machine.cores} cores`,
  memory: `${(machine.memory / 1e9).toFixed(1)} GB`,
  system: machine.system,
  ...versions,
});
