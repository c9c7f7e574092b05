/** Prefetching: the same batches, ready before they are asked for. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Batch } from "./index.js";
import { prefetch } from "./index.js";

const batch = (index: number): Batch => ({ feeds: {}, tokens: index, examples: 1 });

test("batches come as asked for, forwards and after a jump", async () => {
  const batches = prefetch({ perEpoch: 10, at: batch }, 3);
  for (const i of [0, 1, 2, 7, 8, 3, 4]) {
    expect((await batches.at(i)).tokens).toBe(i);
    await sleep(1);
  }
});

test("a step that takes longer than a batch does not wait for it", async () => {
  const slow = async (index: number) => {
    await sleep(10);
    return batch(index);
  };
  const batches = prefetch({ perEpoch: 10, at: slow });
  await batches.at(0);
  const before = batches.waiting().waited;
  for (let i = 1; i < 10; i++) {
    await sleep(30);
    await batches.at(i);
  }
  expect(batches.waiting().waited - before).toBeLessThan(20);
  expect(batches.waiting().share).toBeLessThan(0.25);
});

test("an error reaches whoever asks for its batch, and only then", async () => {
  const batches = prefetch({
    perEpoch: 10,
    at: async (index) => {
      if (index === 2) throw new Error("bad batch");
      return batch(index);
    },
  });
  await batches.at(0);
  await sleep(5);
  await batches.at(1);
  await expect(batches.at(2)).rejects.toThrow("bad batch");
  expect((await batches.at(3)).tokens).toBe(3);
});
