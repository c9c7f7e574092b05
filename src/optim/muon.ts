/** Muon: a matrix moves by its momentum made orthogonal. */
import { nameOf, type Tensor } from "../ir/index.js";
import { adamw } from "./adamw.js";
import { kept, type Rule, scaled, within } from "./rule.js";

export interface MuonOptions {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  /** Which parameters are matrices to Muon; by default those of two axes that are neither embeddings nor heads. */
  readonly matrices?: (w: Tensor) => boolean;
  /** The rule of everything else. */
  readonly others?: Rule;
}

/**
 * Muon (Jordan et al. 2024), its steps sized like AdamW's (Liu et al. 2025), so that one learning rate serves both.
 * State of a matrix: `momentum`, the sum of momentumᵏ g; of the others, what their rule keeps.
 */
export function muon({
  momentum = 0.95,
  nesterov = true,
  weightDecay = 0.1,
  matrices = isHiddenMatrix,
  others = adamw(),
}: MuonOptions = {}): Rule {
  within("momentum", momentum, [0, 1]);
  within("weightDecay", weightDecay, [0, Number.POSITIVE_INFINITY]);
  return {
    name: "muon",
    paper: "Jordan et al. 2024, Muon; Liu et al. 2025, Muon is Scalable for LLM Training",
    state: (w) => (matrices(w) ? ["momentum"] : others.state(w)),
    at(clock) {
      const keep = kept(clock, weightDecay);
      const other = others.at(clock);
      return (w, g, state, decays) => {
        if (!matrices(w)) return other(w, g, state, decays);
        const gradient = scaled(g, clock.scale);
        const next = state[0]!.mul(momentum).add(gradient);
        const way = orthogonal(nesterov ? next.mul(momentum).add(gradient) : next);
        // an orthogonal matrix has root mean square 1 / √(longer side), AdamW's steps about 0.2
        const length = clock.learningRate.mul(0.2 * Math.sqrt(Math.max(...w.shape)));
        return [scaled(w, decays ? keep : undefined).sub(way.mul(length)), next];
      };
    },
  };
}

const lookups = /(^|[._])(wte|wpe|embed_tokens|embeddings?|lm_head|decoder|classifier)([._]|$)/;
const isHiddenMatrix = (w: Tensor): boolean => w.shape.length === 2 && !lookups.test(nameOf(w));

/** Singular values of a matrix [m n] pulled towards 1 by five steps of a quintic Newton–Schulz iteration, with Jordan's coefficients. */
function orthogonal(g: Tensor): Tensor {
  const [rows, columns] = g.dims("m n");
  const tall = rows > columns;
  let x = tall ? g.T : g;
  x = x.div(g.square().sum().sqrt().maximum(1e-7));
  for (let i = 0; i < 5; i++) {
    const square = x.matmul(x.T);
    const polynomial = square.mul(-4.775).add(square.matmul(square).mul(2.0315));
    x = x.mul(3.4445).add(polynomial.matmul(x));
  }
  return tall ? x.T : x;
}
