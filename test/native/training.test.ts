/** Training on the native engine: fused as unfused, the same bits again, whatever is kept or computed twice. */
import { expect, test } from "vitest";
import type { Nd } from "../../src/ir/index.js";
import { type Engine, native, nativeEngine, ort } from "../../src/runtime/index.js";
import { feeds, step } from "./model.js";

const present = (await native.probe()).available;
const { program, state } = step();

async function trained(engine: Engine, steps: number, { threads = 2, from = state, first = 1 } = {}) {
  await using session = await engine.open(from, { threads });
  const losses: number[] = [];
  for (let i = first; i < first + steps; i++)
    losses.push((await session.run(program, feeds(i)))["loss"]!.data[0] as number);
  const values = await Promise.all(
    session.names().map(async (name): Promise<[string, Nd]> => [name, await session.read(name)]),
  );
  return { losses, state: new Map(values) };
}
const difference = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!) / Math.abs(b[i]!)));

test.runIf(present)("thirty steps fused are thirty steps one op at a time", async () => {
  const fused = await trained(native, 30);
  const single = await trained(nativeEngine({ fused: false }), 30);
  expect(fused.losses[29]).toBeLessThan(fused.losses[0]! * 0.75);
  // the same sums in another order, thirty times over
  expect(difference(fused.losses, single.losses)).toBeLessThan(1e-5);
});

test.runIf(present)(
  "the same threads give the same bits, and another number of them the same but for rounding",
  async () => {
    for (const threads of [1, 2, 3]) {
      const first = await trained(native, 5, { threads });
      expect(await trained(native, 5, { threads })).toEqual(first);
      expect(difference(first.losses, (await trained(native, 5)).losses)).toBeLessThan(1e-6);
    }
  },
);

test.runIf(present)("what is computed again for the backward pass is what would have been kept", async () => {
  const kept = await trained(native, 3);
  // what is fused with what changes with it, and so where a product is rounded
  for (const price of [4, 64, 1024, 65536])
    expect(difference((await trained(nativeEngine({ fused: true, price }), 3)).losses, kept.losses)).toBeLessThan(1e-6);
});

test.runIf(present)("a run that goes on from another engine's state ends near where it would have", async () => {
  for (const [before, after] of [[ort, native] as const, [native, ort] as const]) {
    const half = await trained(before, 5);
    const whole = await trained(before, 10);
    const changed = await trained(after, 5, { from: half.state, first: 6 });
    expect(difference(changed.losses, whole.losses.slice(5))).toBeLessThan(1e-4);
  }
});
