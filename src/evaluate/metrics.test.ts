import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { shared } from "../../test/shared.js";
import { accuracy, bitsPerByte, loss, macroF1, perplexity, tally } from "./metrics.js";
import { plus, total } from "./sum.js";

const conformance = shared("conformance_metrics");
const labels = [0, 0, 1, 1, 2, 2];
const predictions = [0, 1, 1, 1, 3, 2];

describe("exact sums", () => {
  test("what cancels leaves what is small", () => {
    expect(total([1e100, 1, -1e100, 1e-30].reduce<readonly number[]>(plus, []))).toBe(1);
    expect(total(Array.from({ length: 10 }, () => 0.1).reduce<readonly number[]>(plus, []))).toBe(1);
    expect(total([])).toBe(0);
  });
  test("half-way cases round as Python's math.fsum does", () => {
    expect(total([1e16, 1, 1e-16].reduce<readonly number[]>(plus, []))).toBe(10000000000000002);
    expect(total([1e16, 1].reduce<readonly number[]>(plus, []))).toBe(10000000000000000);
  });
});

describe("any batch size gives the same number", () => {
  const places = fc.array(
    fc.record({ loss: fc.double({ min: 0, max: 1e6, noNaN: true }), weight: fc.constantFrom(0, 1, 0.25) }),
    { minLength: 1, maxLength: 60 },
  );
  test("losses, perplexity and bits per byte, to the last bit, in any order and split", () => {
    fc.assert(
      fc.property(places, fc.integer({ min: 1, max: 60 }), (list, cut) => {
        const all = [...list, { loss: 0.1, weight: 1 }];
        const observe = (part: typeof all) => ({
          losses: Float64Array.from(part.map((p) => p.loss * 1e-4)),
          weights: part.map((p) => p.weight),
          bytes: part.length * 4,
        });
        for (const metric of [loss, perplexity, bitsPerByte]) {
          const whole = metric.add(metric.empty(), observe(all));
          const head = metric.add(metric.empty(), observe(all.slice(cut)));
          const tail = metric.add(metric.empty(), observe(all.slice(0, cut).reverse()));
          const one = all.reduce((kept, p) => metric.add(kept, observe([p])), metric.empty());
          const stored = JSON.parse(JSON.stringify(metric.merge(head, tail)));
          expect(metric.value(stored)).toBe(metric.value(whole));
          expect(metric.value(one)).toBe(metric.value(whole));
        }
      }),
      { seed: 7, numRuns: 60 },
    );
  });
  test("accuracy and macro-F1, with filler rows in the last short batch", () => {
    for (const metric of [accuracy, macroF1()]) {
      const whole = metric.add(metric.empty(), { labels, predictions });
      const a = metric.add(metric.empty(), { labels: [0, 0, 1, 1], predictions: [0, 1, 1, 1] });
      const b = metric.add(metric.empty(), { labels: [2, 2, 0, 0], predictions: [3, 2, 5, 5], weights: [1, 1, 0, 0] });
      expect(metric.value(metric.merge(a, b))).toBe(metric.value(whole));
      expect(metric.value(metric.merge(b, a))).toBe(metric.value(whole));
    }
  });
});

describe("values computed by hand", () => {
  test("a token with one bit of surprise over one byte", () => {
    const observed = { losses: [Math.LN2, Math.LN2, 99], weights: [1, 1, 0], bytes: 4 };
    expect(loss.value(loss.add(loss.empty(), observed))).toBe(Math.LN2);
    expect(perplexity.value(perplexity.add(perplexity.empty(), observed))).toBeCloseTo(2, 15);
    expect(bitsPerByte.value(bitsPerByte.add(bitsPerByte.empty(), observed))).toBe(0.5);
  });
  test("macro-F1 over the classes that occur, a class only ever predicted scoring 0", () => {
    // F1 by class: 2/3, 4/5, 2/3, 0
    expect(macroF1().value(macroF1().add(macroF1().empty(), { labels, predictions }))).toBeCloseTo(
      (2 / 3 + 4 / 5 + 2 / 3) / 4,
      15,
    );
    expect(accuracy.value(accuracy.add(accuracy.empty(), { labels, predictions }))).toBe(4 / 6);
  });
  test("a class that never occurs scores zeroDivision, or is left out", () => {
    const value = (zeroDivision: number) => {
      const metric = macroF1({ classes: 5, zeroDivision });
      return metric.value(metric.add(metric.empty(), { labels, predictions }));
    };
    const sum = 2 / 3 + 4 / 5 + 2 / 3;
    expect(value(0)).toBeCloseTo(sum / 5, 15);
    expect(value(1)).toBeCloseTo((sum + 1) / 5, 15);
    expect(value(Number.NaN)).toBeCloseTo(sum / 4, 15);
  });
});

describe("refused", () => {
  test("nothing observed, filler only, unequal lengths, a loss that is not finite", () => {
    expect(() => accuracy.value(accuracy.empty())).toThrow("no example was evaluated");
    expect(() => loss.value(loss.add(loss.empty(), { losses: [1], weights: [0] }))).toThrow("no place with a label");
    expect(() => accuracy.add(accuracy.empty(), { labels: [1], predictions: [1, 2] })).toThrow(
      "1 labels but 2 predictions",
    );
    expect(() => loss.add(loss.empty(), { losses: [1, Number.NaN] })).toThrow("at place 1 is NaN");
    expect(() => bitsPerByte.value(bitsPerByte.add(bitsPerByte.empty(), { losses: [1] }))).toThrow("no bytes");
  });
});

test("a tally keeps several metrics over one stream and merges with another", () => {
  const metrics = { accuracy, macroF1: macroF1() };
  const [one, two, both] = [tally(metrics), tally(metrics), tally(metrics)];
  one.add({ labels: [0, 1], predictions: [0, 0] });
  two.add({ labels: [1, 1], predictions: [1, 0] });
  both.add({ labels: [0, 1, 1, 1], predictions: [0, 0, 1, 0] });
  one.merge(JSON.parse(JSON.stringify(two.kept())));
  expect(one.values()).toEqual(both.values());
  expect(one.values()["accuracy"]).toBe(0.5);
});

test.skipIf(!conformance)("accuracy, macro-F1 and log-loss agree with scikit-learn", () => {
  const expected = JSON.parse(readFileSync(join(conformance!, "sklearn_metrics.json"), "utf8"));
  const observed = { labels: expected.y_true as number[], predictions: expected.y_pred as number[] };
  const f1 = macroF1();
  expect(accuracy.value(accuracy.add(accuracy.empty(), observed))).toBe(expected.accuracy);
  // sums of four terms in another order
  expect(f1.value(f1.add(f1.empty(), observed))).toBeCloseTo(expected.f1_macro, 14);
  // its rows are rounded to six digits and scikit-learn normalises them
  const losses = observed.labels.map((label, i) => {
    const row = expected.prob[i] as number[];
    return -Math.log(row[label]! / row.reduce((a, b) => a + b));
  });
  expect(loss.value(loss.add(loss.empty(), { losses }))).toBeCloseTo(expected.log_loss, 12);
});
