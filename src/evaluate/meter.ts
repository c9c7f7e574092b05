/** What a run spends, as it runs: seconds, joules, peak memory, and the examples, tokens and FLOPs it is told of. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cost, EnergySource } from "./curve.js";

/** Watts assumed for each busy processor core where nothing can be read (Lannelongue et al. 2021, Green Algorithms, unknown CPU). */
export const wattsPerCore = 12;

/** Joules used since it was opened. `read` must be called at least every ten minutes: the processor's counters wrap. */
export interface EnergyMeter {
  readonly source: EnergySource;
  read(): number;
}

export interface EnergyOptions {
  /** Watts for each busy core, where energy has to be estimated. */
  readonly watts?: number;
  /** Where Linux lists the processor's energy counters. */
  readonly root?: string;
}

/**
 * Energy of this machine's processor packages by RAPL (Linux, where the counters may be read: it counts every process), else
 * processor seconds of this process times watts per core; `source` says which.
 */
export function openEnergyMeter({
  watts = wattsPerCore,
  root = "/sys/class/powercap",
}: EnergyOptions = {}): EnergyMeter {
  const counters = packages(root);
  if (counters.length === 0) {
    const start = process.cpuUsage();
    const how = `estimated: processor seconds × ${watts} W per busy core`;
    return {
      source: { measured: false, how },
      read() {
        const used = process.cpuUsage(start);
        return ((used.user + used.system) / 1e6) * watts;
      },
    };
  }
  let joules = 0;
  return {
    source: { measured: true, how: `RAPL ${counters.map((c) => c.name).join(", ")} (whole machine)` },
    read() {
      for (const counter of counters) joules += counter.advance();
      return joules;
    },
  };
}

interface Counter {
  readonly name: string;
  /** Joules since the last call. */
  advance(): number;
}

/** Package counters and memory counters; a package's cores are part of it, and `psys` covers all: those would count twice. */
function packages(root: string): Counter[] {
  const zones = attempt(() => readdirSync(root)) ?? [];
  return zones
    .filter((zone) => /^intel-rapl:\d+(:\d+)?$/.test(zone))
    .sort()
    .flatMap((zone) => {
      const text = (file: string) => attempt(() => readFileSync(join(root, zone, file), "utf8").trim());
      const name = text("name");
      const read = () => Number(text("energy_uj") || Number.NaN);
      const top = name !== undefined && /^(package|dram)/.test(name);
      let last = read();
      if (!top || !Number.isFinite(last)) return [];
      const wrap = Number(text("max_energy_range_uj")) || 2 ** 32;
      const advance = () => {
        const now = read();
        if (!Number.isFinite(now)) return 0;
        const microjoules = now >= last ? now - last : now + wrap - last;
        last = now;
        return microjoules / 1e6;
      };
      return [{ name, advance }];
    });
}

function attempt<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch {
    return undefined;
  }
}

/** Counts a run's cost; evaluations between `pause` and `resume` are not counted. */
export interface Meter {
  readonly energy: EnergySource;
  /** Work done since the last call: counted from the graph and the batch, never timed. */
  add(work: { readonly examples?: number; readonly tokens?: number; readonly flops?: number }): void;
  readonly running: boolean;
  pause(): void;
  resume(): void;
  cost(): Cost;
}

/** Milliseconds between readings of counters that wrap: a busy processor takes more than ten minutes to come round. */
const betweenReadings = 600_000;

export interface MeterOptions extends EnergyOptions {
  /** Milliseconds between readings while it runs, where energy is measured. They do not keep the process alive. */
  readonly every?: number;
}

/** A meter that runs from now on; pause it for good when the run is over. */
export function openMeter({ every = betweenReadings, ...options }: MeterOptions = {}): Meter {
  const energy = openEnergyMeter(options);
  const watch = () => (energy.source.measured ? setInterval(() => energy.read(), every).unref() : undefined);
  let watching = watch();
  const work = { examples: 0, tokens: 0, flops: 0 };
  const spent = { seconds: 0, joules: 0 };
  let since: { time: number; joules: number } | undefined = { time: performance.now(), joules: energy.read() };
  const settle = () => {
    const now = { time: performance.now(), joules: energy.read() };
    if (since) {
      spent.seconds += (now.time - since.time) / 1000;
      spent.joules += now.joules - since.joules;
      since = now;
    }
    return now;
  };
  return {
    energy: energy.source,
    add({ examples = 0, tokens = 0, flops = 0 }) {
      work.examples += examples;
      work.tokens += tokens;
      work.flops += flops;
    },
    get running() {
      return since !== undefined;
    },
    pause() {
      settle();
      since = undefined;
      clearInterval(watching);
      watching = undefined;
    },
    resume() {
      since ??= settle();
      watching ??= watch();
    },
    cost() {
      settle();
      return { ...work, ...spent };
    },
  };
}

/** Peak resident memory of this process so far, bytes. */
export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;
