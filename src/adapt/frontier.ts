/** What a frozen body computes from an example is the same in every epoch: cut the graph there, compute it once, keep it. */
import {
  fail,
  input,
  isInput,
  isParam,
  type Node,
  nameOf,
  nodes,
  type Program,
  rewrite,
  type Tensor,
} from "../ir/index.js";

export interface Frontier {
  /** Frozen parameters and inputs to features: outputs `feature.0`, `feature.1`, …; none where nothing is frozen. */
  readonly features: Program;
  /** The given roots, with inputs `feature.0`, `feature.1`, … in place of what `features` computes. */
  readonly roots: Tensor[];
}

/**
 * Cut a graph where frozen parameters and inputs alone end and what learns begins. Features keep their leading axis: rows of a
 * batch may be stored and fed in other batches as far as the graph treats rows apart.
 * Throws `config` when a feature is drawn at random: build the body without dropout.
 */
export function frontier(roots: readonly Tensor[]): Frontier {
  const facts = new Map<Node, Facts>();
  for (const node of nodes(roots)) facts.set(node, factsOf(node, facts));
  const cut = new Map<Tensor, Tensor>();
  const consider = (t: Tensor) => {
    const { learns, frozen, fed, drawn } = facts.get(t.node)!;
    if (learns || !frozen || !fed || cut.has(t)) return;
    if (drawn)
      throw fail(
        "config",
        `features cannot be kept: they depend on the random seed ${drawn}`,
        "build the body without dropout",
      );
    cut.set(t, input(`feature.${cut.size}`, t.type));
  };
  for (const node of facts.keys()) if (facts.get(node)!.learns) node.inputs.forEach(consider);
  roots.forEach(consider);
  return {
    features: { outputs: Object.fromEntries([...cut].map(([t, s]) => [nameOf(s), t])), next: {} },
    roots: rewrite(roots, (node, original) =>
      original.outputs.some((t) => cut.has(t))
        ? node.outputs.map((t, i) => cut.get(original.outputs[i]!) ?? t)
        : undefined,
    ),
  };
}

/** What a node depends on. */
interface Facts {
  readonly learns: boolean;
  readonly frozen: boolean;
  readonly fed: boolean;
  /** The name of a seed. */
  readonly drawn: string | undefined;
}

function factsOf(node: Node, known: ReadonlyMap<Node, Facts>): Facts {
  const t = node.outputs[0]!;
  if (isParam(t)) return { learns: true, frozen: true, fed: false, drawn: undefined };
  if (isInput(t)) return { learns: false, frozen: false, fed: true, drawn: t.dtype === "u32" ? nameOf(t) : undefined };
  const below = node.inputs.map((x) => known.get(x.node)!);
  return {
    learns: node.op.name !== "detach" && below.some((f) => f.learns),
    frozen: below.some((f) => f.frozen),
    fed: below.some((f) => f.fed),
    drawn: below.map((f) => f.drawn).find(Boolean),
  };
}
