import { describe, expect, test } from "vitest";
import { atLeast, atMost, boundedRange, exactly, labelsToReach, range } from "./statistics.js";

const curve = [
  { size: 64, score: 0.2 },
  { size: 256, score: 0.4 },
  { size: 1024, score: 0.5 },
];

test("a range is minimum, median, maximum, whatever the order", () => {
  expect(range([3, 1, 2])).toEqual({ minimum: 1, median: 2, maximum: 3 });
  expect(range([4, 1, 2, 3])).toEqual({ minimum: 1, median: 2.5, maximum: 4 });
  expect(range([])).toBeUndefined();
});

describe("labels to reach a score", () => {
  test("between two sizes, on a line that is straight in the logarithm", () => {
    expect(labelsToReach(curve, 0.3, "max")).toEqual({ value: expect.closeTo(128, 9), bound: "exact" });
    expect(labelsToReach(curve, 0.4, "max")).toEqual(exactly(256));
    expect(labelsToReach([...curve].reverse(), 0.45, "max")!.value).toBeCloseTo(512, 9);
  });
  test("never reached: more than the largest size", () => {
    expect(labelsToReach(curve, 0.51, "max")).toEqual(atLeast(1024));
  });
  test("reached from the start: no more than the smallest size", () => {
    expect(labelsToReach(curve, 0.1, "max")).toEqual(atMost(64));
    expect(labelsToReach(curve, 0.2, "max")).toEqual(exactly(64));
  });
  test("a curve that dips counts from where it first gets there, which favours it", () => {
    const dip = [curve[0]!, curve[1]!, { size: 512, score: 0.3 }, { size: 1024, score: 0.45 }];
    expect(labelsToReach(dip, 0.35, "max")!.value).toBeLessThan(256);
  });
  test("losses fall", () => {
    const losses = curve.map((p) => ({ size: p.size, score: 1 - p.score }));
    expect(labelsToReach(losses, 0.7, "min")!.value).toBeCloseTo(128, 10);
    expect(labelsToReach(losses, 0.1, "min")).toEqual(atLeast(1024));
  });
  test("no curve, no answer", () => {
    expect(labelsToReach([], 0.3, "max")).toBeUndefined();
  });
});

describe("ranges of bounds", () => {
  test("the median is exact when both sides of it are known", () => {
    expect(boundedRange([exactly(8), atLeast(16), exactly(4)])).toEqual({
      minimum: exactly(4),
      median: exactly(8),
      maximum: atLeast(16),
    });
  });
  test("the median is a bound when most are", () => {
    expect(boundedRange([atLeast(16), atLeast(16), exactly(4)])!.median).toEqual(atLeast(16));
    expect(boundedRange([atMost(0.5), atMost(0.5), exactly(2)])!.median).toEqual(atMost(0.5));
  });
  test("a bound below an exact value may still be above it", () => {
    expect(boundedRange([atLeast(2), exactly(3)])!.maximum).toEqual(atLeast(3));
    expect(boundedRange([atLeast(2), exactly(3), exactly(4)])!.median).toEqual(atLeast(3));
  });
});
