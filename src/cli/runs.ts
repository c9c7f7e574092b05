/** `plinth runs`: the run folders there are, and how each is doing. */
import { resolve } from "node:path";
import { glob } from "tinyglobby";
import { z } from "zod";
import { left, renderTable } from "../evaluate/index.js";
import { isLocked, readEvents, readRun, type TrainEvent } from "../train/index.js";
import { command } from "./command.js";

/** A run as the list shows it. */
interface Listed {
  readonly name: string;
  readonly kind: string;
  readonly state: "running" | "finished" | "interrupted" | "failed" | "killed" | "damaged";
  readonly step: number;
  readonly steps?: number;
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

async function look(folder: string, name: string): Promise<Listed> {
  const record = await readRun(folder).catch(() => undefined);
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

const columns = ["name", "kind", "state", "step", "best", "started"].map(left);

const scoreText = (scores: Listed["best"]) =>
  Object.entries(scores ?? {})
    .slice(0, 1)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");

/** Lists run folders, newest first; an empty list is no error. */
export const runs = command({
  options: z.object({
    folder: z.string().default("runs").describe("the folder that holds run folders"),
  }),
  positional: ["folder"],
  examples: [{ line: "npx plinth runs", why: "every run under runs/, newest first" }],
  async run({ folder }, context) {
    const root = resolve(context.cwd, folder);
    const found = await glob("**/run.json", { cwd: root, deep: 5, ignore: ["**/checkpoints/**", "**/model/**"] });
    const names = found.map((path) => path.replace(/\/?run\.json$/, "") || ".");
    const list = await Promise.all(names.map((name) => look(resolve(root, name), name)));
    list.sort((a, b) => b.created.localeCompare(a.created) || a.name.localeCompare(b.name));
    for (const run of list) context.emit(run);
    if (list.length === 0) context.print(`no runs in ${folder}`);
    else {
      const rows = list.map((r) => {
        const steps = r.steps === undefined ? `${r.step}` : `${r.step}/${r.steps}`;
        return [r.name, r.kind, r.state, steps, scoreText(r.best), r.created.slice(0, 16).replace("T", " ")];
      });
      context.print(renderTable({ title: "", columns, rows }, { width: context.width }).trimStart());
    }
    return undefined;
  },
});
