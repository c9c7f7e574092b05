/** The update rule and the learning rates that options describe. */
import { adamw, lion, muon, type Rule, schedule, sgd } from "../optim/index.js";
import type { ResolvedPretrain } from "./pretrain-options.js";

type Chosen = Pick<ResolvedPretrain, "optimizer" | "weightDecay" | "beta2" | "schedule" | "warmupShare" | "finalShare">;

export function ruleOf({ optimizer, weightDecay, beta2 }: Chosen): Rule {
  if (optimizer === "sgd") return sgd({ weightDecay });
  if (optimizer === "lion") return lion({ weightDecay });
  return optimizer === "muon" ? muon({ weightDecay }) : adamw({ weightDecay, beta2 });
}

/** The learning rate of each step. */
export const ratesOf = (o: Chosen, learningRate: number, steps: number): ((step: number) => number) =>
  schedule({
    kind: o.schedule,
    learningRate,
    steps,
    warmupSteps: Math.round(o.warmupShare * steps),
    finalShare: o.finalShare,
  });
