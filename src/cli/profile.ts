/** `plinth profile`: what a training step spends its time and its memory on. */
import { left, renderTable, right } from "../evaluate/index.js";
import { type ProfileRow, profileOptions, profile as run, type StepProfile } from "../jobs/index.js";
import type { HeldValue } from "../runtime/index.js";
import { command } from "./command.js";

const shown = { ops: 20, lines: 15, values: 10 };
const whole = (n: number) => Math.round(n).toLocaleString("en-US");
const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const megabytes = (n: number) => (n / 1e6).toFixed(1);

/** Shows where a step's time goes, by op and by line of the model, and what holds its memory. */
export const profile = command({
  options: profileOptions,
  examples: [
    { line: "npx plinth profile --preset gpt-12m --batch-size 4", why: "a step of a GPT of twelve million parameters" },
    {
      line: "npx plinth profile --size 3e6 --context-length 256 --threads 1 --json",
      why: "the same for a program, of a model by its size, on one thread",
    },
  ],
  async run(options, context) {
    const found = await run(options);
    context.emit(found);
    context.print(`${found.model}\n\n${speed(found)}\n`);
    const table = (title: string, name: string, rows: readonly ProfileRow[], most: number) =>
      context.print(`${renderTable(timeTable({ title, name, rows, most }), { width: context.width })}\n`);
    table("time by op", "kernel, or ops of a fused loop", found.ops, shown.ops);
    table("time by line of the model, its gradient in it", "line", found.lines, shown.lines);
    context.print(memoryText(found, context.width));
    return undefined;
  },
});

function speed({ batchSize, contextLength, threads, peaks, ...found }: StepProfile): string {
  const rate = `${found.gigaflops.toFixed(1)} GFLOP/s, ${percent(found.gigaflops / peaks.gigaflops)} of the measured ${whole(peaks.gigaflops)}`;
  return [
    `step               ${found.milliseconds.toFixed(1)} ms, ${batchSize} × ${contextLength} random tokens, ${threads} ${threads === 1 ? "thread" : "threads"}`,
    `tokens             ${whole(found.tokensPerSecond)} a second`,
    `arithmetic         ${rate}`,
    `memory's peak      ${peaks.gigabytes.toFixed(1)} GB/s measured, read and written`,
  ].join("\n");
}

interface Times {
  readonly title: string;
  readonly name: string;
  readonly rows: readonly ProfileRow[];
  readonly most: number;
}

function timeTable({ title, name, rows, most }: Times) {
  const rest = rows.slice(most);
  const sumOf = (name: string, of: readonly ProfileRow[]) => {
    const sum = (value: (row: ProfileRow) => number) => of.reduce((total, row) => total + value(row), 0);
    return [name, `${sum((r) => r.calls)}`, sum((r) => r.milliseconds).toFixed(2), percent(sum((r) => r.share))];
  };
  const cells = rows
    .slice(0, most)
    .map((r) => [
      r.name,
      `${r.calls}`,
      r.milliseconds.toFixed(2),
      percent(r.share),
      r.gigaflops.toFixed(1),
      r.gigabytes.toFixed(1),
    ]);
  const more = rest.length ? [sumOf(`${rest.length} more`, rest)] : [];
  return {
    title,
    columns: [left(name), ...["calls", "ms", "share", "GFLOP/s", "GB/s"].map(right)],
    rows: [...cells, ...more, sumOf("all", rows)],
  };
}

/** Values of one line that are alike, such as those of a model's layers. */
interface Alike extends HeldValue {
  readonly count: number;
}

function alike(held: readonly HeldValue[]): Alike[] {
  const found = new Map<string, Alike>();
  for (const value of held) {
    const key = `${value.op} ${value.shape} ${value.at}`;
    const { count = 0, bytes = 0 } = found.get(key) ?? {};
    found.set(key, { ...value, count: count + 1, bytes: bytes + value.bytes });
  }
  return [...found.values()].sort((a, b) => b.bytes - a.bytes);
}

function memoryText({ memory }: StepProfile, width: number): string {
  const values = alike(memory.held);
  const row = ({ op, shape, count, bytes, at = "" }: Alike) => [
    op,
    shape.join(" × "),
    `${count}`,
    megabytes(bytes),
    at,
  ];
  const sumOf = (op: string, of: readonly Alike[]) => {
    const count = of.reduce((sum, v) => sum + v.count, 0);
    return row({ op, shape: [], count, bytes: of.reduce((sum, v) => sum + v.bytes, 0) });
  };
  const rest = values.slice(shown.values);
  const table = {
    title: `memory: ${megabytes(memory.arenaBytes)} MB for a run's values, ${megabytes(memory.stateBytes)} MB of weights and optimiser`,
    columns: [left("values at the peak"), left("shape"), right("count"), right("MB"), left("line")],
    rows: [
      ...values.slice(0, shown.values).map(row),
      ...(rest.length ? [sumOf(`${rest.length} kinds more`, rest)] : []),
      sumOf("all", values),
    ],
    note: "GFLOP/s count attention whole, masked or not; GB/s every buffer that is read or written: an upper bound. A fused loop is of the line of its costliest op.",
  };
  return renderTable(table, { width });
}
