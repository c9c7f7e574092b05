/** Forward, backward and update as programs: one batch at a time, or gradients added up over several. */
import { grad } from "../grad/index.js";
import {
  constant,
  f32,
  fail,
  type Init,
  input,
  type Nd,
  nameOf,
  nd,
  type Program,
  param,
  params,
  type Tensor,
  trainable,
} from "../ir/index.js";
import { concat } from "../ops/index.js";
import { oneLessPower, type Rule, within } from "./rule.js";

/** What is learnt: a loss summed over what is trained on, and how many that is. Both are scalars. */
export interface Objective {
  readonly sum: Tensor;
  readonly count: Tensor;
}

export interface TrainingOptions {
  /** The largest norm of all gradients together; larger ones are scaled down (Pascanu et al. 2013). Absent: not clipped. */
  readonly clip?: number | undefined;
  /** Whether weight decay applies to a parameter; by default to those of two axes or more. */
  readonly decays?: (name: string, w: Tensor) => boolean;
  /** How much of the mean of the weights is kept at each step, such as 0.999. Absent: no mean is kept. */
  readonly ema?: number | undefined;
}

/** Programs over one state. Inputs of `step` and `apply` beside the data: `learningRate f32[]`, `step f32[]` counting from 1. */
export interface Training {
  /**
   * One batch, one update. Outputs `loss` (sum / count), `count`, `gradientNorm` (before clipping) and
   * `gradientNorms f32[n]`, one for each of `trainable`.
   */
  readonly step: Program;
  /** Adds a batch's gradients, loss and count to the accumulators. Outputs `loss`, `count` of this batch. */
  readonly accumulate: Program;
  /** One update from the accumulators, divided once by their count; sets them back to zero. Takes no data; the outputs of `step`. */
  readonly apply: Program;
  /** Exchanges the weights that learn and their mean: run it, evaluate or save, run it again. Does nothing where no mean is kept. */
  readonly swap: Program;
  /** The parameters that learn. */
  readonly trainable: readonly Tensor[];
  /** Names of the state that are weights of the model, frozen ones too. */
  readonly weights: readonly string[];
  /** First values, all zero, of what the rule remembers and of the mean of the weights: add them to the model's weights. */
  readonly state: ReadonlyMap<string, Nd>;
  /** First values, all zero, of what `accumulate` adds to; needed only where it is run. */
  readonly accumulators: ReadonlyMap<string, Nd>;
}

const zeros: Init = (shape) => new Float32Array(shape.reduce((a, b) => a * b, 1));
/** Prefixes of the names in the state that are not weights. */
const prefixes = { optimizer: "optimizer.", ema: "ema.", accumulated: "accumulated.", total: "accumulation." };
const totals = ["sum", "count"] as const;

/**
 * The programs that train an objective by a rule. Only what is trainable gets a gradient, and a place in the state.
 * The mean of the weights is the bias-corrected exponential one (Polyak and Juditsky 1992): after the first step it equals them.
 * Throws `no-gradient` when nothing is trainable.
 */
export function training({ sum, count }: Objective, rule: Rule, options: TrainingOptions = {}): Training {
  const learning = checked(sum, count, options);
  const weights = params([sum, count]).map(nameOf);
  const changes = new Changes(learning, rule, options);
  const loss = sum.div(count.detach());
  const one = changes.from(grad(loss, learning), undefined);

  const leaf = (name: string, w?: Tensor) => param(name, w?.shape ?? [], zeros);
  const added = learning.map((w) => leaf(prefixes.accumulated + nameOf(w), w));
  const [allSum, allCount] = totals.map((name) => leaf(prefixes.total + name)) as [Tensor, Tensor];
  const all = changes.from(added, allCount);
  const accumulators = [...added, allSum, allCount];
  return {
    step: { outputs: { loss, count, ...one.outputs }, next: one.next },
    accumulate: {
      // a part without anything to train on is no error here: the others may have some
      outputs: { loss: sum.div(count.maximum(1e-30)), count },
      next: record(accumulators, [
        ...grad(sum, learning).map((g, i) => added[i]!.add(g)),
        allSum.add(sum),
        allCount.add(count),
      ]),
    },
    apply: {
      outputs: { loss: allSum.div(allCount), count: allCount, ...all.outputs },
      next: {
        ...all.next,
        ...record(
          accumulators,
          accumulators.map((t) => constant(0, t.type)),
        ),
      },
    },
    swap: { outputs: {}, next: changes.exchanged() },
    trainable: learning,
    weights,
    state: zeroed(changes.leaves),
    accumulators: zeroed(accumulators),
  };
}

/** The update of every parameter that learns, given where its gradient comes from. */
class Changes {
  readonly leaves: Tensor[] = [];
  private readonly remembered: readonly Tensor[][];
  private readonly means: readonly Tensor[];
  constructor(
    private readonly learning: readonly Tensor[],
    private readonly rule: Rule,
    private readonly options: TrainingOptions,
  ) {
    const leaf = (name: string, w: Tensor) => {
      const t = param(name, w.shape, zeros);
      this.leaves.push(t);
      return t;
    };
    this.remembered = learning.map((w) =>
      rule.state(w).map((name) => leaf(`${prefixes.optimizer}${nameOf(w)}.${name}`, w)),
    );
    this.means = options.ema === undefined ? [] : learning.map((w) => leaf(prefixes.ema + nameOf(w), w));
  }

  /** Weights for means and means for weights. */
  exchanged(): Record<string, Tensor> {
    const kept = this.learning.slice(0, this.means.length);
    return record([...kept, ...this.means], [...this.means, ...kept]);
  }

  /** Gradients still to be divided by `count`, unless it is absent. */
  from(gradients: readonly Tensor[], count: Tensor | undefined): Program {
    const { clip, ema, decays = (_, w) => w.shape.length > 1 } = this.options;
    const [learningRate, step] = [input("learningRate", f32([])), input("step", f32([]))];
    const raw = concat(
      gradients.map((g) => g.square().sum().reshape([1])),
      0,
    ).sqrt();
    const gradientNorms = count ? raw.div(count) : raw;
    const gradientNorm = gradientNorms.square().sum().sqrt();
    // the small number is PyTorch's clip_grad_norm_
    const factor = clip === undefined ? undefined : gradientNorm.add(1e-6).div(clip).maximum(1);
    const divisor = factor && count ? factor.mul(count) : (factor ?? count);
    const scale = divisor && constant(1, f32([])).div(divisor);
    const update = this.rule.at({ learningRate, step, scale });
    const next: Record<string, Tensor> = {};
    const keep = ema === undefined ? undefined : keptOfMean(ema, step);
    this.learning.forEach((w, i) => {
      const state = this.remembered[i]!;
      const values = update(w, gradients[i]!, state, decays(nameOf(w), w));
      Object.assign(next, record([w, ...state], values));
      const mean = this.means[i];
      if (mean && keep) next[nameOf(mean)] = mean.mul(keep).add(values[0].mul(keep.neg().add(1)));
    });
    return { outputs: { gradientNorm, gradientNorms }, next };
  }
}

/** `decay (1 - decayᵗ⁻¹) / (1 - decayᵗ)`: 0 at the first step, `decay` in the long run. */
const keptOfMean = (decay: number, step: Tensor): Tensor =>
  oneLessPower(decay, step.sub(1)).div(oneLessPower(decay, step)).mul(decay);

const record = (leaves: readonly Tensor[], values: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(leaves.map((t, i) => [nameOf(t), values[i]!]));
const zeroed = (leaves: readonly Tensor[]): Map<string, Nd> =>
  new Map(leaves.map((t) => [nameOf(t), nd("f32", t.shape, 0)]));

function checked(sum: Tensor, count: Tensor, { clip, ema }: TrainingOptions): Tensor[] {
  for (const t of [sum, count])
    if (t.shape.length) throw fail("scalar", `training needs a sum and a count, got a shape of [${t.shape.join(",")}]`);
  if (clip !== undefined) within("clip", clip, [Number.MIN_VALUE, Number.POSITIVE_INFINITY]);
  if (ema !== undefined) within("ema", ema, [Number.MIN_VALUE, 1]);
  const learning = trainable([sum]);
  if (!learning.length)
    throw fail(
      "no-gradient",
      "nothing to train: every parameter is frozen",
      "leave some parameters unfrozen, such as a head",
    );
  for (const t of params([sum, count]))
    for (const prefix of Object.values(prefixes))
      if (nameOf(t).startsWith(prefix))
        throw fail("path", `parameter ${nameOf(t)} has the name of a state`, "rename it");
  return learning;
}
