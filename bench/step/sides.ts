/** Who takes part in bench/step: each side is a process that carries out some training steps and prints what they took. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { engines } from "../../src/runtime/index.js";
import type { Work } from "./works.js";

/** Milliseconds of one process's median step and, where it tells, of its fastest; and the most memory that it ever held. */
export interface Measured {
  readonly median: number;
  readonly fastest?: number;
  readonly memoryMB: number;
}
export type Side = (work: Work & { readonly name: string }) => Measured;

export interface SideOptions {
  readonly threads: string;
  readonly python: string | undefined;
  /** The folder of gpt.py and the others. */
  readonly reference: string;
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const run = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string =>
  execFileSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });

/** The sides of a work, in the order in which they take turns; those whose engine or program is not there are left out. */
export async function sidesOf(work: Work, options: SideOptions): Promise<Record<string, Side>> {
  const { threads, python, reference } = options;
  const sides: Record<string, Side> = {};
  for (const engine of ["native", "ort"] as const) {
    if (!(await engines[engine].probe()).available) continue;
    sides[engine] = ({ name, steps }) =>
      JSON.parse(
        run(process.execPath, ["--import", "jiti/register", path("plinth.ts"), name, engine, `${steps}`, threads]),
      );
  }
  if (python) {
    if (!existsSync(`${reference}/${work.torch.script}`))
      throw new Error(`${reference} has no ${work.torch.script}: set PLINTH_REFERENCE`);
    for (const [name, setting] of Object.entries(work.torch.settings))
      sides[name] = () => torch(python, work, { reference, env: { ...setting, THREADS: threads } });
  }
  if (work.graph && existsSync(`${reference}/gpt.mjs`)) sides["gpt.mjs"] = () => graph(work, { reference, threads });
  return sides;
}

// asked of the process itself at its end
const withMemory =
  "import resource, runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)";

const peakOf = (text: string): number => Math.round(Number(/^peak (\d+)$/m.exec(text)![1]) / 1024);

function torch(
  python: string,
  { torch: { script, env } }: Work,
  o: { reference: string; env: Readonly<Record<string, string>> },
): Measured {
  const text = run(python, ["-c", withMemory, `${o.reference}/${script}`], { ...env, ...o.env });
  const fastest = /min ([\d.]+) ms/.exec(text)?.[1];
  return {
    median: Number(/median ([\d.]+) ms/.exec(text)![1]),
    ...(fastest ? { fastest: Number(fastest) } : {}),
    memoryMB: peakOf(text),
  };
}

/** The hand-written ONNX graph, copied beside node_modules, where it finds onnxruntime-node. */
function graph({ graph, steps }: Work, { reference, threads }: { reference: string; threads: string }): Measured {
  const copy = path("../../node_modules/.plinth-bench");
  mkdirSync(copy, { recursive: true });
  for (const name of ["gpt.mjs", "onnx.mjs"]) copyFileSync(`${reference}/${name}`, `${copy}/${name}`);
  const asked = "data:text/javascript,process.on('exit',()=>console.log('peak',process.resourceUsage().maxRSS))";
  const text = run(process.execPath, ["--import", asked, `${copy}/gpt.mjs`], {
    CFG: graph!,
    STEPS: `${steps}`,
    T: threads,
  });
  const single = [...text.matchAll(/^\d+ [\d.]+ ([\d.]+)ms$/gm)].map((line) => Number(line[1]));
  return {
    median: Number(/median ([\d.]+) ms/.exec(text)![1]),
    fastest: Math.min(...single),
    memoryMB: peakOf(text),
  };
}
