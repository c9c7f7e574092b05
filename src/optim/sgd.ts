/** Gradient descent with momentum. */
import { type Rule, scaled, within } from "./rule.js";

export interface SgdOptions {
  readonly momentum?: number;
  /** Look ahead: the gradient is added to the step once more (Nesterov 1983; Sutskever et al. 2013). */
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent with momentum (Polyak 1964; Sutskever et al. 2013). State: `momentum`, the sum of momentumᵏ g.
 * Weight decay is added to the gradient after clipping, as everyone's published SGD recipes mean it.
 */
export function sgd({ momentum = 0.9, nesterov = false, weightDecay = 0 }: SgdOptions = {}): Rule {
  within("momentum", momentum, [0, 1]);
  within("weightDecay", weightDecay, [0, Number.POSITIVE_INFINITY]);
  return {
    name: "sgd",
    paper: "Sutskever et al. 2013, On the importance of initialization and momentum in deep learning",
    state: () => (momentum > 0 ? ["momentum"] : []),
    at: (clock) => (w, g, state, decays) => {
      const clipped = scaled(g, clock.scale);
      const gradient = decays && weightDecay > 0 ? clipped.add(w.mul(weightDecay)) : clipped;
      if (momentum === 0) return [w.sub(gradient.mul(clock.learningRate))];
      const next = state[0]!.mul(momentum).add(gradient);
      const way = nesterov ? next.mul(momentum).add(gradient) : next;
      return [w.sub(way.mul(clock.learningRate)), next];
    },
  };
}
