/** What is wrong although nothing crashed: losses that are not finite, parameters that do not learn. */
import { join } from "node:path";
import type { Batch } from "../data/index.js";
import { fail, type Nd, nameOf } from "../ir/index.js";
import { writeSafetensors } from "../models/index.js";
import type { Training } from "../optim/index.js";
import type { Session } from "../runtime/index.js";

/** What a step reports. */
export interface Outcome {
  readonly loss: number;
  readonly count: number;
  readonly gradientNorm: number;
  /** One for each trainable parameter. */
  readonly gradientNorms: ArrayLike<number>;
}

/** Where something went wrong. */
interface Scene {
  readonly folder: string;
  readonly step: number;
  readonly batches: readonly Batch[];
  /** The first value that is not finite, in words. */
  readonly explain: () => Promise<string | undefined>;
}

/**
 * Throws `non-finite`, naming step, tensor and the file that the step's batches are saved in, when the loss or a gradient is
 * not a finite number.
 */
export async function requireFinite(
  outcome: Outcome,
  { trainable }: Training,
  { folder, step, batches, explain }: Scene,
): Promise<void> {
  const { loss, gradientNorm, gradientNorms } = outcome;
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  const file = await saveBatches(join(folder, `non-finite-step-${step}.safetensors`), batches);
  const bad = trainable.map(nameOf).filter((_, i) => !Number.isFinite(gradientNorms[i]));
  const fed = batches.flatMap(({ feeds }) => Object.keys(feeds).filter((name) => !allFinite(feeds[name]!)));
  const where = fed.length
    ? `the data in ${[...new Set(fed)].join(", ")} is not finite`
    : bad.length
      ? `the gradient is not finite in ${some(bad, trainable.length)}`
      : `the gradient of every tensor is finite, their sum of squares is not`;
  const first = fed.length ? undefined : await explain();
  throw fail(
    "non-finite",
    `step ${step}: loss ${loss}, gradient norm ${gradientNorm}; ${where}${first ? `; it begins in ${first}` : ""}`,
    `lower the learning rate, warm up longer or clip gradients; the step's batch is in ${file}; earlier checkpoints are intact`,
    bad[0],
  );
}

const allFinite = ({ dtype, data }: Nd): boolean => dtype !== "f32" || (data as Float32Array).every(Number.isFinite);
const some = (names: readonly string[], of: number): string =>
  names.length === of && of > 3 ? `all ${of} tensors, ${names[0]} first` : list(names);
const list = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");

async function saveBatches(path: string, batches: readonly Batch[]): Promise<string> {
  const values = new Map<string, Nd>();
  const ids: string[] = [];
  batches.forEach((batch, i) => {
    for (const [name, value] of Object.entries(batch.feeds))
      values.set(batches.length > 1 ? `${i}.${name}` : name, value);
    ids.push(...(batch.ids ?? []));
  });
  const metadata = ids.length ? { ids: JSON.stringify(ids) } : {};
  await writeSafetensors(path, { types: values, value: (name) => values.get(name)!, metadata });
  return path;
}

/**
 * Does every trainable parameter learn? Told after the first step that moves at all, and looked at again while some do not:
 * a gradient may be zero at first where two new factors multiply (LoRA starts with one of them at zero), and a very small first
 * learning rate may be lost to rounding.
 */
export class Learning {
  private updates = 0;
  private still: Map<string, { first: Nd; gradient: boolean }> | undefined;
  /** Steps with a zero gradient, and steps without movement, after which it is an error. */
  private static readonly patience = { gradient: 3, movement: 64 };

  constructor(private readonly first: (name: string) => Nd | undefined) {}

  /** Look after a step. Throws `no-gradient`, naming the parameters. */
  async check(
    session: Session,
    { trainable }: Training,
    norms: ArrayLike<number>,
    learningRate: number,
  ): Promise<void> {
    this.still ??= new Map(
      trainable.flatMap((t) => {
        const first = this.first(nameOf(t));
        return first ? [[nameOf(t), { first, gradient: false }]] : [];
      }),
    );
    if (!this.still.size || learningRate === 0) return;
    this.updates++;
    trainable.forEach((t, i) => {
      const entry = this.still!.get(nameOf(t));
      if (entry && norms[i] !== 0) entry.gradient = true;
    });
    // the first steps and then powers of two: reading weights is not free
    if (this.updates > 3 && (this.updates & (this.updates - 1)) !== 0) return;
    for (const [name, { first, gradient }] of this.still)
      if (gradient && !sameBits(first, await session.read(name))) this.still.delete(name);
    const { gradient, movement } = Learning.patience;
    if (this.updates >= gradient) this.complain("get no gradient", (entry) => !entry.gradient);
    if (this.updates >= movement) this.complain("do not move", () => true);
  }

  private complain(what: string, which: (entry: { gradient: boolean }) => boolean): void {
    const names = [...this.still!].filter(([, entry]) => which(entry)).map(([name]) => name);
    if (!names.length) return;
    throw fail(
      "no-gradient",
      `${names.length} trainable tensors ${what} in ${this.updates} steps: ${list(names)}`,
      "freeze what is not meant to learn, or check that the loss depends on it; if all stand still, raise the learning rate",
      names[0],
    );
  }
}

/** Are two values the same, bit for bit (so that NaN equals NaN, and 0 does not equal -0)? */
export function sameBits(a: Nd, b: Nd): boolean {
  const bytes = ({ data }: Nd) => Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return a.dtype === b.dtype && bytes(a).equals(bytes(b));
}
