/** A training step under the clock: its time by op and by line of the model, and what holds its memory. */
import { availableParallelism } from "node:os";
import { random } from "../data/index.js";
import { fail, inputs, madeAt, type Nd, nameOf, nd, type Program, params, Scope, traced } from "../ir/index.js";
import { describe } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { training } from "../optim/index.js";
import {
  chooseEngine,
  type InstructionProfile,
  type MemoryProfile,
  type Peaks,
  type Profile,
  peaks,
} from "../runtime/index.js";
import { languageModelling } from "../tasks/index.js";
import { dropsOut, type Model, modelOf, vocabSizeOf } from "./language-model.js";
import { ruleOf } from "./optimizing.js";
import { optionsOf } from "./options.js";
import { pretrainOptions } from "./pretrain-options.js";
import { type ProfileOptions, profileOptions, type ResolvedProfile } from "./profile-options.js";

/** Instructions taken together. */
export interface ProfileRow {
  /** An op or a fused group of them; a line of a model. */
  readonly name: string;
  readonly calls: number;
  readonly milliseconds: number;
  /** Of the time of all instructions. */
  readonly share: number;
  /** What the ops say they cost, a second; an upper bound on what moves through memory, a second. */
  readonly gigaflops: number;
  readonly gigabytes: number;
}

export interface StepProfile {
  /** The model in words. */
  readonly model: string;
  readonly batchSize: number;
  readonly contextLength: number;
  readonly threads: number;
  /** Of one step. */
  readonly milliseconds: number;
  readonly tokensPerSecond: number;
  readonly gigaflops: number;
  readonly peaks: Peaks;
  /** By time, the longest first. */
  readonly ops: readonly ProfileRow[];
  readonly lines: readonly ProfileRow[];
  readonly memory: MemoryProfile;
}

/** Profile the training step of a model on random tokens, on the native engine. Throws `engine` where that does not load. */
export async function profile(given: ProfileOptions): Promise<StepProfile> {
  const o = optionsOf(profileOptions, given);
  const engine = await chooseEngine("native");
  const model = modelOf(o, vocabSizeOf(o));
  const { program, state } = stepOf(model, o);
  const threads = o.threads ?? availableParallelism();
  await using session = await engine.open(state, { threads });
  if (!session.profile) throw fail("internal", "the native engine has no profile");
  const measured = await session.profile(program, feedsOf(program, model, o), { runs: o.runs });
  return told(measured, { model, o, threads, peaks: await peaks(threads) });
}

function stepOf({ family, config }: Model, o: ResolvedProfile) {
  const sizes = { batch: o.batchSize, length: config.contextLength, training: dropsOut({ family, config }) };
  const places = family.objective === "masked" ? { places: placesOf(o, config.contextLength) } : {};
  const { objective } = traced(() => languageModelling(family, config, { p: new Scope(), ...sizes, ...places }));
  const rule = ruleOf(optionsOf(pretrainOptions, { data: ["random"], optimizer: o.optimizer }));
  // what no line of the model asks for
  const learning = madeAt("the update", () => training(objective, rule, { clip: 1, decays: family.decays }));
  const weights = initialise(params([objective.sum]), o.seed);
  return { program: learning.step, state: new Map([...weights, ...learning.state]) };
}
const placesOf = ({ batchSize, maskRate }: ResolvedProfile, length: number) => Math.ceil(batchSize * length * maskRate);

/** Random tokens, each row one document. */
function feedsOf(program: Program, { config }: Model, o: ResolvedProfile): Record<string, Nd> {
  const rng = random(o.seed);
  const length = config.contextLength;
  const places = placesOf(o, length);
  const values: Readonly<Record<string, (i: number) => number>> = {
    ids: () => rng.below(config.vocabSize),
    labels: () => rng.below(config.vocabSize),
    segments: () => 0,
    decoderIds: () => rng.below(config.vocabSize),
    decoderSegments: () => 0,
    positions: (i) => i % length,
    places: (i) => Math.floor((i * o.batchSize * length) / places),
    weights: () => 1,
    learningRate: () => 1e-3,
    step: () => 1,
    seed: () => o.seed,
  };
  return Object.fromEntries(
    inputs(program).map((t) => {
      const size = t.shape.reduce((a, b) => a * b, 1);
      const data = Array.from({ length: size }, (_, i) => values[nameOf(t)]!(i));
      return [nameOf(t), nd(t.dtype, t.shape, data)];
    }),
  );
}

interface Setting {
  readonly model: Model;
  readonly o: ResolvedProfile;
  readonly threads: number;
  readonly peaks: Peaks;
}

function told({ instructions, milliseconds, memory }: Profile, { model, o, threads, peaks }: Setting): StepProfile {
  const { contextLength } = model.config;
  const flops = instructions.reduce((sum, i) => sum + i.flops, 0);
  return {
    model: describe(model.family, model.config),
    batchSize: o.batchSize,
    contextLength,
    threads,
    milliseconds,
    tokensPerSecond: (o.batchSize * contextLength * 1000) / milliseconds,
    gigaflops: flops / milliseconds / 1e6,
    peaks,
    ops: rowsBy(instructions, named),
    lines: rowsBy(instructions, ({ at }) => at ?? "unknown"),
    memory,
  };
}

/** A kernel's name; of a loop over elements what it computes. */
function named({ kernel, ops }: InstructionProfile): string {
  if (kernel !== "map") return kernel;
  const shown = ops.length > 6 ? [...ops.slice(0, 5), `${ops.length - 5} more`] : ops;
  return shown.length ? shown.join(" ") : "copy";
}

function rowsBy(instructions: readonly InstructionProfile[], nameOf: (i: InstructionProfile) => string): ProfileRow[] {
  const all = instructions.reduce((sum, i) => sum + i.nanoseconds, 0);
  const groups = new Map<string, InstructionProfile[]>();
  for (const i of instructions) groups.set(nameOf(i), [...(groups.get(nameOf(i)) ?? []), i]);
  const rows = [...groups].map(([name, members]) => {
    const sum = (of: (i: InstructionProfile) => number) => members.reduce((total, i) => total + of(i), 0);
    const time = sum((i) => i.nanoseconds);
    // a clock may see no time pass
    const rate = (n: number) => (time > 0 ? n / time : 0);
    return {
      name,
      calls: members.length,
      milliseconds: time / 1e6,
      share: all > 0 ? time / all : 0,
      gigaflops: rate(sum((i) => i.flops)),
      gigabytes: rate(sum((i) => i.bytesRead + i.bytesWritten)),
    };
  });
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}
