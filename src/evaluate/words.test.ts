import { expect, test } from "vitest";
import { atLeast, atMost, exactly } from "./statistics.js";
import * as words from "./words.js";

const plain = (text: string) => text.replaceAll("\u00A0", " ");

test("amounts keep three digits and never round into the wrong unit", () => {
  expect([0, 3.456e9, 9.999e11, 4e14, 2.5e18].map(words.flops).map(plain)).toEqual([
    "0 FLOP",
    "3.46 GFLOP",
    "1.00 TFLOP",
    "400 TFLOP",
    "2.50 EFLOP",
  ]);
  expect([0.5, 999.7, 1440].map(words.joules).map(plain)).toEqual(["0.500 J", "1.00 kJ", "1.44 kJ"]);
  expect([999, 94210, 999999.6, 3.6e6].map(words.count).map(plain)).toEqual(["999", "94,210", "1,000,000", "3.60 M"]);
});

test("time is said in the units people use", () => {
  expect([0, 9.999, 42, 99.6, 200, 3599.7, 4200].map(words.seconds).map(plain)).toEqual([
    "0.00 s",
    "10.00 s",
    "42.0 s",
    "1 min 40 s",
    "3 min 20 s",
    "1 h 0 min",
    "1 h 10 min",
  ]);
});

test("a bound looks like a bound", () => {
  expect([exactly(8.14), exactly(123.4), atLeast(16), atMost(0.5)].map(words.times).map(plain)).toEqual([
    "8.1×",
    "123×",
    "≥ 16×",
    "≤ 0.50×",
  ]);
  expect(words.timesRange(undefined)).toBe("not measured");
});

test("pay-back is whole adaptations, or never", () => {
  const after = (adaptations: number | null) => words.payback({ adaptations, saved: 1 });
  expect([after(0.2), after(11.1), after(null)]).toEqual(["after the first", "after 12", "never"]);
});

test("signs are true minus signs, names are prose", () => {
  expect([0.1, -0.1].map(words.signed)).toEqual(["+0.100", "−0.100"]);
  expect(["macroF1", "bitsPerByte", "validationLoss"].map(words.metricName)).toEqual([
    "macro-F1",
    "bits per byte",
    "validation loss",
  ]);
});
