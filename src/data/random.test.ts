/** Random numbers by place: even, independent of each other, the same on every machine. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { hash, permutation, random } from "./random.js";

test("a permutation visits every index once, whatever the size, seed and epoch", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(), fc.nat(9), (n, seed, epoch) => {
      const order = permutation(n, seed, epoch);
      const seen = new Set(Array.from({ length: n }, (_, i) => order(i)));
      return seen.size === n && Math.max(...seen) === n - 1;
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("every position is about equally likely to go anywhere", () => {
  const n = 10;
  const counts = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const trials = 20_000;
  for (let epoch = 0; epoch < trials; epoch++) {
    const order = permutation(n, 7, epoch);
    for (let i = 0; i < n; i++) counts[i]![order(i)]!++;
  }
  const chi = counts.flat().reduce((sum, c) => sum + (c - trials / n) ** 2 / (trials / n), 0);
  // 81 degrees of freedom: mean 81, standard deviation 13
  expect(chi).toBeLessThan(150);
});

test("numbers of one place are even, and neighbouring places do not resemble each other", () => {
  const rng = random(3, 4);
  const n = 100_000;
  const cells = new Array<number>(64).fill(0);
  let product = 0;
  let mean = 0;
  for (let i = 0; i < n; i++) {
    const x = rng.uniform();
    cells[Math.floor(x * 64)]!++;
    mean += x / n;
    product += ((random(5, i).uniform() - 0.5) * (random(5, i + 1).uniform() - 0.5)) / n;
  }
  const chi = cells.reduce((sum, c) => sum + (c - n / 64) ** 2 / (n / 64), 0);
  expect(chi).toBeLessThan(110);
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.005);
  expect(Math.abs(product)).toBeLessThan(0.002);
});

test("the numbers are fixed for all time, since runs are resumed by them", () => {
  expect([hash(0), hash(1, 2, 3), hash(2 ** 40, 2 ** 33)]).toMatchInlineSnapshot(`
    [
      2612203797,
      2307928086,
      1808249475,
    ]
  `);
  const order = permutation(1000, 42, 1);
  expect([order(0), order(1), order(2)]).toMatchInlineSnapshot(`
    [
      239,
      460,
      299,
    ]
  `);
  expect(random(1, 2).shuffle([1, 2, 3, 4, 5])).toMatchInlineSnapshot(`
    [
      5,
      3,
      4,
      2,
      1,
    ]
  `);
});
