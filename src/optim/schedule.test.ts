import { expect, test } from "vitest";
import { type ScheduleKind, schedule, schedules } from "./index.js";

const kinds = Object.keys(schedules) as ScheduleKind[];
const rates = (o: Parameters<typeof schedule>[0]) => Array.from({ length: o.steps }, (_, i) => schedule(o)(i + 1));

test.each(kinds)("%s rises to its peak over the warm-up, never exceeds it and never stops", (kind) => {
  const all = rates({ kind, learningRate: 0.3, steps: 100, warmupSteps: 10 });
  expect(all[0]).toBeCloseTo(0.03, 12);
  expect(all[9]).toBeCloseTo(0.3, 12);
  for (let i = 10; i < 100; i++) expect(all[i]!).toBeLessThanOrEqual(all[i - 1]! + 1e-12);
  expect(Math.max(...all)).toBeCloseTo(0.3, 12);
  expect(Math.min(...all)).toBeGreaterThan(0);
});

test("linear and cosine pass half way at the middle, and end at their final share", () => {
  for (const kind of ["linear", "cosine"] as const) {
    const f = schedule({ kind, learningRate: 1, steps: 999, finalShare: 0.1 });
    expect(f(500)).toBeCloseTo(0.55, 10);
    expect(f(999)).toBeCloseTo(0.1, 2);
    expect(f(5000)).toBe(f(999));
  }
});

test("warmup-stable-decay stays at its peak until the last steps", () => {
  const all = rates({ kind: "warmup-stable-decay", learningRate: 1, steps: 50, warmupSteps: 5, decaySteps: 10 });
  expect(all.slice(4, 40).every((r) => Math.abs(r - 1) < 1e-12)).toBe(true);
  expect(all.slice(40).every((r, i) => Math.abs(r - (10 - i) / 11) < 1e-12)).toBe(true);
});

test("a schedule that cannot be is refused", () => {
  const options = { kind: "cosine", learningRate: 1, steps: 10 } as const;
  expect(() => schedule({ ...options, warmupSteps: 11 })).toThrow("warmupSteps is 11, of 10 steps");
  expect(() => schedule({ ...options, learningRate: 0 })).toThrow("learningRate is 0");
  expect(() => schedule({ ...options, kind: "square" as ScheduleKind })).toThrow(
    "no schedule square\n  help: one of constant, linear, cosine, warmup-stable-decay",
  );
});
