/** Every way to adapt a model, by name. */
import { fail, nameOf, params, type Tensor } from "../ir/index.js";
import { type Adaptation, full, head } from "./adapt.js";
import { lora, targets } from "./lora.js";
import { type Pattern, select } from "./select.js";

export interface MethodOptions {
  /** What belongs to the task and is new, such as `classifier`: it always learns. Empty: the task adds nothing. */
  readonly head: readonly Pattern[];
  /** LoRA: numbers between input and output; 8 by default. */
  readonly rank?: number | undefined;
  /** LoRA: the difference is multiplied by `alpha / rank`; `2 * rank` by default. */
  readonly alpha?: number | undefined;
  /** LoRA: the matrices that get a difference; all of the body by default. */
  readonly select?: readonly Pattern[] | undefined;
}

export interface Method {
  readonly summary: string;
  readonly paper: string;
  /** Where to start; what the number rests on. */
  readonly learningRate: { readonly value: number; readonly reason: string };
  /** Whether what it learns is kept apart from the base, as an adapter. */
  readonly apart: boolean;
  /** What each parameter of the model with these roots becomes. Throws `target` where a pattern matches nothing. */
  adaptation(roots: readonly Tensor[], options: MethodOptions): Adaptation;
}

export const methods = {
  full: {
    summary: "every parameter learns",
    paper: "Howard and Ruder 2018, ULMFiT",
    learningRate: { value: 3e-4, reason: "the best of 3e-4, 1e-3 and 3e-3 for plinth-tiny-en on WordNet's categories" },
    apart: false,
    adaptation: (roots, options) => {
      inHead(roots, options);
      return full;
    },
  },
  head: {
    summary: "the body is frozen, a new head learns from its features",
    paper: "Donahue et al. 2014, DeCAF",
    learningRate: { value: 1e-2, reason: "the best of 1e-3, 3e-3 and 1e-2 for plinth-tiny-en on WordNet's categories" },
    apart: true,
    adaptation: (roots, options) => {
      if (!options.head.length)
        throw fail("target", "the task adds no head to train, and the body is frozen", "adapt with lora or full");
      return head(inHead(roots, options));
    },
  },
  lora: {
    summary: "the body is frozen, its matrices learn differences of low rank",
    paper: "Hu et al. 2022, LoRA",
    learningRate: {
      value: 3e-3,
      reason: "the best of 1e-3, 3e-3 and 1e-2 at rank 8 for plinth-tiny-en on WordNet's categories",
    },
    apart: true,
    adaptation: (roots, options) => {
      const { rank = 8, alpha = 2 * rank } = options;
      const learns = inHead(roots, options);
      return lora({ rank, alpha, learns, targets: targets(roots, { patterns: options.select, except: learns }) });
    },
  },
} satisfies Record<string, Method>;
export type MethodName = keyof typeof methods;

function inHead(roots: readonly Tensor[], options: MethodOptions): (name: string) => boolean {
  if (!options.head.length) return () => false;
  const names = select(params(roots).map(nameOf), options.head);
  return (name) => names.has(name);
}
