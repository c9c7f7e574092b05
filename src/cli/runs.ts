/** `plinth runs`: the run folders there are, and how each is doing; a comparison is one of them. */
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { glob } from "tinyglobby";
import { z } from "zod";
import { left, renderTable } from "../evaluate/index.js";
import { isLocked, type RunRecord, readEvents, readRun, type TrainEvent } from "../train/index.js";
import { command } from "./command.js";

/** A run as the list shows it. */
interface Listed {
  readonly name: string;
  readonly kind: string;
  readonly state: "running" | "finished" | "interrupted" | "failed" | "killed" | "damaged";
  /** Absent for a comparison. */
  readonly step?: number;
  readonly steps?: number;
  /** Of a comparison, those that are done. */
  readonly runs?: number;
  /** The last of the best scores; absent where nothing was evaluated. */
  readonly best?: Readonly<Record<string, number>>;
  readonly created: string;
}

type Of<T extends TrainEvent["type"]> = Extract<TrainEvent, { type: T }>;
const lastOf = <T extends TrainEvent["type"]>(events: readonly TrainEvent[], type: T) =>
  events.findLast((e): e is Of<T> => e.type === type);

function stateOf(events: readonly TrainEvent[], locked: boolean): Listed["state"] {
  if (locked) return "running";
  const last = events.findLast((e) => e.type === "stopped" || e.type === "failed" || e.type === "step");
  if (last?.type === "failed") return "failed";
  if (last?.type !== "stopped") return "killed";
  return last.reason === "interrupted" ? "interrupted" : "finished";
}

interface Found {
  readonly name: string;
  readonly folder: string;
  /** Absent where it cannot be read. */
  readonly record: RunRecord | undefined;
}

async function look({ folder, name, record }: Found): Promise<Listed> {
  if (!record) return { name, kind: "?", state: "damaged", step: 0, created: "" };
  const events = await readEvents(folder);
  const best = events.findLast((e): e is Of<"score"> => e.type === "score" && e.best) ?? lastOf(events, "score");
  const steps = lastOf(events, "started")?.steps;
  return {
    name,
    kind: String(record.config["command"] ?? record.config["kind"] ?? "run"),
    state: stateOf(events, await isLocked(resolve(folder, "lock"))),
    step: events.at(-1)?.step ?? 0,
    ...(steps === undefined ? {} : { steps }),
    ...(best ? { best: best.scores } : {}),
    created: record.created,
  };
}

/** Many runs in one line. */
async function lookAtComparison(folder: string, name: string, members: readonly Found[]): Promise<Listed> {
  const settled = existsSync(join(folder, "curve.json")) ? "finished" : "interrupted";
  return {
    name,
    kind: "comparison",
    state: (await isLocked(join(folder, "lock"))) ? "running" : settled,
    runs: members.filter((run) => existsSync(join(run.folder, "arm.json"))).length,
    created: members.map(({ record }) => record?.created ?? "").sort()[0]!,
  };
}

/** Every run under a folder; those of one comparison are one. */
async function listed(root: string): Promise<Listed[]> {
  const paths = await glob("**/run.json", { cwd: root, deep: 5, ignore: ["**/checkpoints/**", "**/model/**"] });
  const single: Found[] = [];
  const comparisons = new Map<string, Found[]>();
  for (const name of paths.map(dirname)) {
    const folder = resolve(root, name);
    const found = { name, folder, record: await readRun(folder).catch(() => undefined) };
    if (found.record?.config["arm"] === undefined) single.push(found);
    else {
      const comparison = dirname(dirname(folder));
      comparisons.set(comparison, [...(comparisons.get(comparison) ?? []), found]);
    }
  }
  return Promise.all([
    ...single.map(look),
    ...[...comparisons].map(([folder, runs]) => lookAtComparison(folder, relative(root, folder) || ".", runs)),
  ]);
}

const columns = ["name", "kind", "state", "step", "best", "started"].map(left);

const scoreText = (scores: Listed["best"]) =>
  Object.entries(scores ?? {})
    .slice(0, 1)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");

function progressText({ step, steps, runs }: Listed): string {
  if (runs !== undefined) return `${runs} runs`;
  return steps === undefined ? `${step}` : `${step}/${steps}`;
}

/** Lists run folders, newest first; an empty list is no error. */
export const runs = command({
  options: z.object({
    folder: z.string().default("runs").describe("the folder that holds run folders"),
  }),
  positional: ["folder"],
  examples: [{ line: "npx plinth runs", why: "every run under runs/, newest first" }],
  async run({ folder }, context) {
    const root = resolve(context.cwd, folder);
    const list = await listed(root);
    list.sort((a, b) => b.created.localeCompare(a.created) || a.name.localeCompare(b.name));
    for (const run of list) context.emit(run);
    if (list.length === 0) context.print(`no runs in ${folder}`);
    else {
      const rows = list.map((r) => {
        const started = r.created.slice(0, 16).replace("T", " ");
        return [r.name, r.kind, r.state, progressText(r), scoreText(r.best), started];
      });
      context.print(renderTable({ title: "", columns, rows }, { width: context.width }).trimStart());
    }
    return undefined;
  },
});
