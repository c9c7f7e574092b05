/** What a measurement ran on, as its file names it: no host names, no paths. */
import { cpus, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly system: string;
  readonly node: string;
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  system: `${process.platform} ${process.arch}`,
  node: process.versions.node,
});

/** The middle of some numbers; of an even count, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}

/** Waits for a second in which the machine had nothing else to do, at most `patience` seconds; the share of it that was busy. */
export async function quiet(patience: number): Promise<number> {
  for (let waited = 1; ; waited++) {
    const before = ticks();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const after = ticks();
    const busy = 1 - (after.idle - before.idle) / (after.all - before.all);
    if (busy < 0.1 || waited >= patience) return busy;
  }
}
function ticks(): { idle: number; all: number } {
  const times = cpus().map((core) => core.times);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return { idle: sum(times.map((t) => t.idle)), all: sum(times.map((t) => sum(Object.values(t)))) };
}
