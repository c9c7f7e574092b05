import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { openEnergyMeter, openMeter, peakBytes } from "./meter.js";

const root = mkdtempSync(join(tmpdir(), "rapl-"));
afterAll(() => rmSync(root, { recursive: true }));

function zone(name: string, label: string, microjoules: number): void {
  mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, name, "name"), `${label}\n`);
  writeFileSync(join(root, name, "energy_uj"), `${microjoules}\n`);
  writeFileSync(join(root, name, "max_energy_range_uj"), "262143328850\n");
}

test("energy is read from the packages and their memory, once, across a wrap", () => {
  zone("intel-rapl:0", "package-0", 262143328850 - 1e6);
  zone("intel-rapl:0:0", "core", 5e6);
  zone("intel-rapl:0:1", "dram", 1e6);
  zone("intel-rapl:1", "psys", 9e6);
  const meter = openEnergyMeter({ root });
  expect(meter.source).toEqual({ measured: true, how: "RAPL package-0, dram (whole machine)" });
  zone("intel-rapl:0", "package-0", 2e6);
  zone("intel-rapl:0:0", "core", 9e6);
  zone("intel-rapl:0:1", "dram", 1.5e6);
  expect(meter.read()).toBeCloseTo(3.5, 9);
  expect(meter.read()).toBeCloseTo(3.5, 9);
});

test("energy is estimated, and said to be, where there are no counters", () => {
  const meter = openEnergyMeter({ root: join(root, "nothing"), watts: 10 });
  expect(meter.source).toEqual({ measured: false, how: "estimated: processor seconds × 10 W per busy core" });
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < 50_000);
  expect(meter.read()).toBeGreaterThanOrEqual(0.5);
});

test("a meter counts the work it is told of and not the time it is paused", async () => {
  const meter = openMeter({ root: join(root, "nothing") });
  meter.add({ examples: 8, tokens: 100, flops: 1e9 });
  meter.add({ tokens: 50 });
  meter.pause();
  const { seconds } = meter.cost();
  await sleep(30);
  expect(meter.cost().seconds).toBe(seconds);
  meter.resume();
  await sleep(30);
  const cost = meter.cost();
  expect(cost.seconds - seconds).toBeGreaterThan(0.02);
  expect(cost.seconds - seconds).toBeLessThan(1);
  expect(cost).toMatchObject({ examples: 8, tokens: 150, flops: 1e9 });
});

test("a meter that is not asked reads the counters itself, which does not keep the process alive", async () => {
  const counter = (microjoules: number) => zone("intel-rapl:0", "package-0", microjoules);
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  zone("intel-rapl:0:1", "dram", 0);
  counter(0);
  const before = timers();
  const meter = openMeter({ root, every: 5 });
  expect(timers()).toBe(before);
  // once round, and half: seen only by a reading in between
  for (const microjoules of [200e9, 100e9, 250e9]) {
    counter(microjoules);
    await sleep(50);
  }
  meter.pause();
  expect(meter.cost().joules).toBeCloseTo((262143328850 + 250e9) / 1e6, 6);
});

test("peak memory is that of this process, in bytes", () => {
  expect(peakBytes()).toBeGreaterThanOrEqual(process.memoryUsage().rss * 0.5);
  expect(peakBytes()).toBeLessThan(1e12);
});
