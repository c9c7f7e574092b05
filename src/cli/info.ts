/** `plinth info`: what this machine offers, and whether each engine computes what it should. */
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { z } from "zod";
import { automaticEngine, type Engine, engines, peak } from "../runtime/index.js";
import { command } from "./command.js";
import { selfTest } from "./self-test.js";

const gigabytes = (bytes: number) => bytes / 2 ** 30;

/** Memory this process may use: the machine's, or less in a container. */
const memoryLimit = () => {
  const limit = process.constrainedMemory() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
};

async function examine(engine: Engine) {
  const { available, why, version } = await engine.probe();
  const found = { name: engine.name, summary: engine.summary, available, why, version };
  if (!available) return found;
  try {
    return { ...found, selfTest: await selfTest(engine) };
  } catch (error) {
    return {
      ...found,
      selfTest: { passed: false, difference: Number.NaN, milliseconds: 0, error: (error as Error).message },
    };
  }
}
type Examined = Awaited<ReturnType<typeof examine>>;

function verdict(e: Examined): string {
  if (!("selfTest" in e)) return `absent: ${e.why}`;
  if ("error" in e.selfTest) return `self-test FAILED: ${e.selfTest.error}`;
  const { passed, difference } = e.selfTest;
  return `self-test ${passed ? "passed" : "FAILED"}: three training steps differ from float64 by ${difference.toExponential(1)}`;
}

/** A line for each engine: name, version, verdict. */
function lines(found: readonly Examined[]): string[] {
  const cells = (of: (e: Examined) => string) => {
    const width = Math.max(...found.map((e) => of(e).length));
    return found.map((e) => of(e).padEnd(width));
  };
  const [names, versions] = [cells((e) => e.name), cells((e) => e.version ?? "")];
  return found.map((e, i) => `  ${names[i]}  ${versions[i]}  ${verdict(e)}`);
}

/** What `--engine auto` means here, and why; no name where no fast engine loads. */
const automatic = (): Promise<{ name?: string; why: string }> =>
  automaticEngine().then(
    ({ engine, why }) => ({ name: engine.name, why }),
    (error: Error) => ({ why: error.message }),
  );

/** Prints the machine and its engines; exit code 2 when an engine that loads computes something else. */
export const info = command({
  options: z.object({
    peak: z.boolean().default(true).describe("measure the single-precision peak, which takes about a second"),
    threads: z.int().positive().optional().describe("threads for the measurement; one a core if absent"),
  }),
  examples: [
    { line: "npx plinth info", why: "engines, their self-test, and the machine" },
    { line: "npx plinth info --json --no-peak", why: "the same for a program, without the measurement" },
  ],
  async run({ peak: measured, threads }, context) {
    const found: Examined[] = [];
    for (const engine of Object.values(engines)) found.push(await examine(engine));
    const usable = found.some((e) => e.name !== "reference" && e.available);
    const gigaflops = measured && usable ? await peak(threads) : undefined;
    const machine = {
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      memoryBytes: memoryLimit(),
      freeBytes: Math.min(freemem(), memoryLimit()),
      ...(gigaflops === undefined ? {} : { peakGigaflops: Math.round(gigaflops) }),
    };
    const auto = await automatic();
    context.emit({ machine, engines: found, auto });
    context.print(`Node ${machine.node} on ${machine.platform}: ${machine.cpu}`);
    const memory = `${gigabytes(machine.memoryBytes).toFixed(1)} GB of memory, ${gigabytes(machine.freeBytes).toFixed(1)} GB free`;
    context.print(`${machine.cores} cores, ${memory}`);
    if (gigaflops !== undefined) context.print(`measured peak ${Math.round(gigaflops)} GFLOP/s in single precision`);
    context.print(["", "engines:", ...lines(found)].join("\n"));
    context.print(`  ${auto.name ? `auto is ${auto.name} (${auto.why})` : `auto finds none: ${auto.why}`}`);
    return found.some((e) => "selfTest" in e && !e.selfTest.passed) ? 2 : undefined;
  },
});
