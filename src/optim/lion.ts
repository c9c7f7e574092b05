/** Lion: every element moves by the learning rate, in the direction of a mixed momentum. */
import { kept, type Rule, scaled, within } from "./rule.js";

export interface LionOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly weightDecay?: number;
}

/**
 * Lion (Chen et al. 2023). State: `m`. Its learning rate is three to ten times smaller than AdamW's, its weight decay as much larger.
 */
export function lion({ beta1 = 0.9, beta2 = 0.99, weightDecay = 0.1 }: LionOptions = {}): Rule {
  within("beta1", beta1, [0, 1]);
  within("beta2", beta2, [0, 1]);
  within("weightDecay", weightDecay, [0, Number.POSITIVE_INFINITY]);
  return {
    name: "lion",
    paper: "Chen et al. 2023, Symbolic Discovery of Optimization Algorithms",
    state: () => ["m"],
    at(clock) {
      const keep = kept(clock, weightDecay);
      return (w, g, [m], decays) => {
        const gradient = scaled(g, clock.scale);
        const way = m!
          .mul(beta1)
          .add(gradient.mul(1 - beta1))
          .sign();
        const next = m!.mul(beta2).add(gradient.mul(1 - beta2));
        return [scaled(w, decays ? keep : undefined).sub(way.mul(clock.learningRate)), next];
      };
    },
  };
}
