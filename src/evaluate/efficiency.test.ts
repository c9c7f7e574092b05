import { describe, expect, test } from "vitest";
import { syntheticCurve } from "../../test/synthetic-curve.js";
import type { ArmRun, Curve } from "./curve.js";
import { efficiency, judge } from "./efficiency.js";

const without = (curve: Curve, f: (r: ArmRun) => boolean): Curve => ({ ...curve, runs: curve.runs.filter(f) });

describe("the data multiplier", () => {
  test("is how many times the labels the pre-training was worth", () => {
    const { sizes, headline } = efficiency(syntheticCurve({ worth: 4, noise: 0 }));
    expect(headline.size).toBe(64);
    expect(headline.dataMultiplier!.median).toEqual({ value: expect.closeTo(4, 6), bound: "exact" });
    expect(sizes[1]!.dataMultiplier!.median.value).toBeCloseTo(4, 6);
    expect(headline.verdict).toBe("benefit");
  });
  test("is a lower bound where the measured sizes end", () => {
    const { sizes, headline } = efficiency(syntheticCurve({ worth: 40, noise: 0 }));
    expect(headline.dataMultiplier!.median).toEqual({ value: 16, bound: "at least" });
    expect(sizes[2]!.dataMultiplier!.median).toEqual({ value: 1, bound: "at least" });
  });
  test("is below one when pre-training harms, an upper bound at the smallest size", () => {
    const { sizes, headline } = efficiency(syntheticCurve({ worth: 0.25, noise: 0 }));
    expect(headline.dataMultiplier!.median).toEqual({ value: 1, bound: "at most" });
    expect(sizes[1]!.dataMultiplier!.median).toEqual({ value: expect.closeTo(0.25, 6), bound: "exact" });
    expect(sizes.map((s) => s.verdict)).toEqual(["harm", "harm", "harm"]);
  });
  test("is left out where one size from scratch draws no curve", () => {
    const one = without(syntheticCurve(), (r) => r.size === 64);
    expect(efficiency(one).headline.dataMultiplier).toBeUndefined();
  });
});

describe("the compute multiplier", () => {
  test("is the cost from scratch of its best score over the cost adapted of first reaching it", () => {
    const curve = syntheticCurve({ worth: 1, speed: 1, noise: 0 });
    expect(efficiency(curve).headline.computeMultiplier.flops!.median).toEqual({ value: 1, bound: "exact" });
    const faster = efficiency(syntheticCurve({ worth: 4, speed: 5, noise: 0 })).headline.computeMultiplier;
    expect(faster.flops!.median.value).toBeGreaterThan(5);
    expect(faster.seconds).toEqual(faster.flops);
  });
  test("is an upper bound when the adapted run never gets there", () => {
    const { computeMultiplier, payback } = efficiency(syntheticCurve({ worth: 0.25, speed: 1, noise: 0 })).headline;
    expect(computeMultiplier.flops!.median).toEqual({ value: 1, bound: "at most" });
    expect(payback!.flops).toEqual({ adaptations: null, saved: 0 });
  });
  test("is a lower bound when the adapted network is there before its first step", () => {
    const curve = syntheticCurve({ noise: 0 });
    const ready = { ...curve, runs: curve.runs.map((r) => (r.arm === "adapted" ? untrained(r) : r)) };
    expect(efficiency(ready).headline.computeMultiplier.flops!.median).toEqual({ value: 30, bound: "at least" });
  });
  test("is left out without evaluations along training", () => {
    const curve = syntheticCurve();
    const bare = { ...curve, runs: curve.runs.map((r) => ({ ...r, points: [] })) };
    const { headline } = efficiency(bare);
    expect(headline.computeMultiplier).toEqual({});
    expect(headline.payback).toBeUndefined();
  });
});
const untrained = (r: ArmRun): ArmRun => ({ ...r, points: r.points.map((p) => ({ ...p, score: 1 })) });

describe("the verdict", () => {
  test("no benefit when seeds disagree", () => {
    const { headline } = efficiency(syntheticCurve({ worth: 1, speed: 1, noise: 0.02 }));
    expect(headline.verdict).toBe("no benefit");
    expect(headline.reason).toBe("better for 1 and worse for 1 of 3 seeds");
  });
  test("the rule, from paired differences", () => {
    expect(judge([0.1, 0.2, 0.01]).verdict).toBe("benefit");
    expect(judge([-0.1, -0.2, -0.01]).verdict).toBe("harm");
    expect(judge([0.1, 0.2, -0.01]).verdict).toBe("no benefit");
    expect(judge([0.1, 0.2, 0]).verdict).toBe("no benefit");
    expect(judge([0.1, 0.2])).toEqual({
      verdict: "unproven",
      reason: "2 seeds only: at least three are needed to call it",
    });
  });
  test("losses are better when smaller", () => {
    const curve = syntheticCurve({ worth: 4 });
    const flip = <T extends { readonly score: number }>(x: T): T => ({ ...x, score: 1 - x.score });
    const runs = curve.runs.map((r) => ({ ...flip(r), points: r.points.map(flip) }));
    const falling = efficiency({ ...curve, metric: { name: "loss", goal: "min" }, runs });
    expect(falling.headline.verdict).toBe("benefit");
    const rising = efficiency(curve).headline;
    expect(falling.headline.dataMultiplier!.median.value).toBeCloseTo(rising.dataMultiplier!.median.value, 6);
  });
});

test("pay-back is the pre-training's cost over what one adaptation saves", () => {
  const curve = syntheticCurve({ worth: 4, noise: 0 });
  const { payback } = efficiency(curve).headline;
  expect(payback!.flops.adaptations! * payback!.flops.saved).toBeCloseTo(curve.pretraining!.flops, -3);
  const { pretraining: _, ...free } = curve;
  expect(efficiency(free).headline.payback).toBeUndefined();
});

test("arms are paired by size and seed: a run without its control is not counted", () => {
  const curve = without(syntheticCurve(), (r) => !(r.arm === "scratch" && r.size === 64 && r.seed === 2));
  expect(efficiency(curve).headline.seeds).toEqual([1, 3]);
  expect(efficiency(curve).headline.verdict).toBe("unproven");
  expect(() => efficiency(without(curve, (r) => r.arm === "adapted"))).toThrow("no adapted run has a run from scratch");
});
