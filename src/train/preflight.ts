/** What a run will need before it starts: memory, disk, time. */
import { freemem } from "node:os";
import { bytesOf, fail, type Program, size, type Type } from "../ir/index.js";
import { freeBytes } from "../models/index.js";
import { speaks } from "../onnx/index.js";
import type { Training } from "../optim/index.js";
import { flops, peakBytes, prepare } from "../passes/index.js";

/** Predictions; bytes, milliseconds. */
export interface Preflight {
  /** The most memory at once: both copies of what changes, the rest of the state, and the values of a step that live together. */
  readonly memory: number;
  readonly memoryAvailable: number;
  /** All checkpoints that are kept at once, one being written, and the model. */
  readonly disk: number;
  readonly diskAvailable: number;
  readonly flopsPerStep: number;
  /** Absent where the machine was not measured. */
  readonly millisecondsPerStep?: number;
}

export interface PreflightOptions {
  readonly training: Training;
  readonly accumulation: number;
  /** The state a session holds, and what of it changes. */
  readonly state: ReadonlyMap<string, Type>;
  readonly changing: ReadonlyMap<string, Type>;
  /** Checkpoints kept; 0 where none is written. */
  readonly keep: number;
  /** Whether the best weights are kept beside. */
  readonly best: boolean;
  /** Where checkpoints go. */
  readonly folder: string;
  readonly peakGflops?: number | undefined;
  readonly flopsPerStep?: number | undefined;
}

/** What a node process with an engine takes before any weight: measured, with ONNX Runtime loaded. */
const processBytes = 150e6;
/** What an engine holds of a step's values, beside the most that live at once: 2.6 to 3.5 times in ONNX Runtime, measured on three GPTs. */
const arenaShare = 3.5;
/** Steps reach about this share of what square matrix products reach. */
const usualShare = 0.5;

const bytes = (types: Iterable<Type>): number => {
  let total = 0;
  for (const { dtype, shape } of types) total += size(shape) * bytesOf[dtype];
  return total;
};

/** Floating-point operations of one optimiser step. */
function stepFlops({ step, accumulate, apply }: Training, accumulation: number): number {
  return accumulation === 1 ? flops(step) : flops(accumulate) * accumulation + flops(apply);
}

/** What ONNX Runtime holds at once: a composite that it has no kernel for holds what it is lowered to. */
const heldBytes = (p: Program): number => peakBytes(prepare(p, speaks));

/** Predict what a run needs from its programs and its state, without running anything. */
export async function preflight(o: PreflightOptions): Promise<Preflight> {
  const { training, accumulation, state, changing, keep, best, folder, peakGflops } = o;
  const programs: readonly Program[] = accumulation === 1 ? [training.step] : [training.accumulate, training.apply];
  const flopsPerStep = o.flopsPerStep ?? stepFlops(training, accumulation);
  const [all, changes] = [bytes(state.values()), bytes(changing.values())];
  const weights = bytes(training.weights.map((name) => state.get(name)!));
  // the caller's own copy of the state, the session's, and the spare buffers of what changes
  const memory = processBytes + 2 * all + changes + arenaShare * Math.max(...programs.map(heldBytes));
  const rate = peakGflops && peakGflops * 1e6 * usualShare;
  return {
    memory,
    memoryAvailable: availableMemory(),
    disk: (keep && changes * (keep + 1) + weights * (best ? 2 : 0)) + weights,
    diskAvailable: await freeBytes(folder),
    flopsPerStep,
    ...(rate && { millisecondsPerStep: flopsPerStep / rate }),
  };
}

/** Memory this process may have in all: what it has, and what the system or a container's limit leaves. */
const availableMemory = (): number => process.memoryUsage.rss() + (process.availableMemory?.() ?? freemem());

/** What does not fit, in words: code memory or disk. */
export function shortages(
  p: Preflight,
): { readonly code: "memory" | "disk"; readonly what: string; readonly help: string }[] {
  const found: ReturnType<typeof shortages> = [];
  if (p.memory > p.memoryAvailable)
    found.push({
      code: "memory",
      what: `a step would need about ${gigabytes(p.memory)} of memory, ${gigabytes(p.memoryAvailable)} are available`,
      help: "use a smaller batch with accumulation, a shorter context or a smaller model",
    });
  if (p.disk > p.diskAvailable)
    found.push({
      code: "disk",
      what: `checkpoints and the model would need ${gigabytes(p.disk)} on disk, ${gigabytes(p.diskAvailable)} are free`,
      help: "free some space, keep fewer checkpoints, or choose a folder on another disk",
    });
  return found;
}

/** Throws code memory or disk when a run is predicted not to fit. */
export function requireFits(p: Preflight): void {
  const [first] = shortages(p);
  if (first) throw fail(first.code, first.what, first.help);
}

const gigabytes = (n: number) => (n < 1e9 ? `${Math.ceil(n / 1e6)} MB` : `${(n / 1e9).toFixed(1)} GB`);
