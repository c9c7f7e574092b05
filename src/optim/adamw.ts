/** AdamW: steps divided by the root of the recent squared gradient, with decoupled weight decay. */
import { kept, oneLessPower, type Rule, scaled, within } from "./rule.js";

export interface AdamwOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/**
 * AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019). State: `m` and `v`, the sums of beta1ᵏ g and of beta2ᵏ g²; that is the
 * paper's moving averages divided by 1 - beta. That factor, both bias corrections and the learning rate are two scalars per step,
 * so that an element costs as few operations as it can: w' = w keep - a m' / (√v' + e).
 */
export function adamw({ beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1 }: AdamwOptions = {}): Rule {
  within("beta1", beta1, [0, 1]);
  within("beta2", beta2, [0, 1]);
  // below this, a row that never had a gradient would be 0 / 0 in single precision
  within("epsilon", epsilon, [1e-30, 1]);
  within("weightDecay", weightDecay, [0, Number.POSITIVE_INFINITY]);
  return {
    name: "adamw",
    paper: "Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization",
    state: () => ["m", "v"],
    at(clock) {
      // mean m = (1 - beta1) m' / (1 - beta1ᵗ); mean v likewise; the root of v's factor is moved to a and e
      const root = oneLessPower(beta2, clock.step)
        .div(1 - beta2)
        .sqrt();
      const a = clock.learningRate
        .mul(1 - beta1)
        .mul(root)
        .div(oneLessPower(beta1, clock.step));
      const e = root.mul(epsilon);
      const keep = kept(clock, weightDecay);
      return (w, g, [m, v], decays) => {
        const gradient = scaled(g, clock.scale);
        const m2 = m!.mul(beta1).add(gradient);
        const v2 = v!.mul(beta2).add(gradient.mul(gradient));
        const way = m2.mul(a).div(v2.sqrt().add(e));
        return [scaled(w, decays ? keep : undefined).sub(way), m2, v2];
      };
    },
  };
}
