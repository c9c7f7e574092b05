/** An expression as an automaton over the bytes of UTF-8, whose states are made when they are first reached (Thompson 1968). */
import { fail } from "../../ir/index.js";
import type { Expression, Range } from "./expression.js";
import { utf8Ranges } from "./utf8.js";

const mostNodes = 200_000;
const mostStates = 100_000;

export interface Automaton {
  readonly start: number;
  /** The state after a byte; -1 where the byte cannot follow. Throws `config` when the automaton outgrows its limit. */
  step(state: number, byte: number): number;
  /** The least number of bytes after which the text may end; 0 where it may end now. */
  distance(state: number): number;
}

type Edge = readonly [from: number, to: number, target: number];

/** Nodes that are passed without reading anything, or by reading a byte. */
interface Graph {
  readonly free: number[][];
  readonly edges: Edge[][];
}

const end = 0;
const size = (at: string) =>
  fail("config", "the constraint is too large", "ask for fewer repetitions or fewer alternatives", at);

/** `usable` are the bytes that can be written at all. Throws `config` for an expression that is too large, or that no text fits. */
export function automatonOf(e: Expression, { usable, at }: { usable: Uint8Array; at: string }): Automaton {
  const graph: Graph = { free: [[]], edges: [[]] };
  const first = build(graph, e, at);
  const far = distances(graph, usable);
  if (far[first] === Infinity)
    throw fail("config", "no text that the model can write fits the constraint", undefined, at);
  const sets: Uint32Array[] = [];
  const known = new Map<string, number>();
  const moves: Int32Array[] = [];
  const stateOf = (nodes: Iterable<number>): number => {
    const set = closure(graph, nodes, far);
    if (!set.length) return -1;
    const key = set.join();
    const found = known.get(key);
    if (found !== undefined) return found;
    if (sets.length === mostStates) throw size(at);
    sets.push(set);
    // -2: not known yet
    moves.push(new Int32Array(256).fill(-2));
    known.set(key, sets.length - 1);
    return sets.length - 1;
  };
  return {
    start: stateOf([first]),
    step(state, byte) {
      const known = moves[state]![byte]!;
      if (known !== -2) return known;
      const targets: number[] = [];
      for (const node of sets[state]!)
        for (const [from, to, target] of graph.edges[node]!) if (from <= byte && byte <= to) targets.push(target);
      const next = targets.length ? stateOf(targets) : -1;
      moves[state]![byte] = next;
      return next;
    },
    distance: (state) => sets[state]!.reduce((least, node) => Math.min(least, far[node]!), Infinity),
  };
}

/** Adds the expression's nodes, from its end; the first of them. Parts that occur in several places with one continuation are shared. */
function build(graph: Graph, e: Expression, at: string): number {
  const made = new Map<Expression, Map<number, number>>();
  const node = (free: number[] = [], edges: Edge[] = []): number => {
    if (graph.free.length >= mostNodes) throw size(at);
    graph.free.push(free);
    graph.edges.push(edges);
    return graph.free.length - 1;
  };
  const tails = new Map<string, number>();
  const tail = (edge: Edge): number => {
    const found = tails.get(edge.join()) ?? node([], [edge]);
    tails.set(edge.join(), found);
    return found;
  };
  const put = (e: Expression, next: number): number => {
    const known = made.get(e)?.get(next);
    if (known !== undefined) return known;
    const first = fresh(e, next);
    made.set(e, (made.get(e) ?? new Map()).set(next, first));
    return first;
  };
  const fresh = (e: Expression, next: number): number => {
    switch (e.kind) {
      case "characters":
        return node([], bytesOf(e.ranges, next, tail));
      case "sequence":
        return e.parts.reduceRight((after, part) => put(part, after), next);
      case "choice":
        return node(e.options.map((option) => put(option, next)));
      case "repeat":
        return repeated(e, next);
    }
  };
  const repeated = ({ what, least, most }: Extract<Expression, { kind: "repeat" }>, next: number): number => {
    const before = graph.free.length;
    let after = next;
    const again = (i: number, put: () => number) => {
      after = put();
      // told by the first copy: so many of them are not made to find out
      if (i === 0 && (graph.free.length - before) * (most === Infinity ? least : most) > mostNodes) throw size(at);
    };
    if (least > mostNodes) throw size(at);
    if (most === Infinity) {
      after = node([next]);
      graph.free[after]!.push(put(what, after));
    } else for (let i = 0; i < most - least; i++) again(i, () => node([put(what, after), next]));
    for (let i = 0; i < least; i++) again(i, () => put(what, after));
    return after;
  };
  return put(e, end);
}

/** Edges that read one of the characters and go on at `next`. */
function bytesOf(ranges: readonly Range[], next: number, node: (edge: Edge) => number): Edge[] {
  return ranges.flatMap((range) =>
    utf8Ranges(range).map((bytes): Edge => {
      const after = bytes.slice(1).reduceRight((target, [from, to]) => node([from, to, target]), next);
      const [from, to] = bytes[0]!;
      return [from, to, after];
    }),
  );
}

/** Bytes from each node to the end, over bytes that can be written. */
function distances({ free, edges }: Graph, usable: Uint8Array): Float64Array {
  const far = new Float64Array(free.length).fill(Infinity);
  const into: { readonly from: number; readonly cost: number }[][] = free.map(() => []);
  free.forEach((targets, from) => {
    for (const to of targets) into[to]!.push({ from, cost: 0 });
  });
  edges.forEach((list, from) => {
    for (const [low, high, to] of list)
      if (usable.subarray(low, high + 1).includes(1)) into[to]!.push({ from, cost: 1 });
  });
  far[end] = 0;
  // by levels: all that is reached with as many bytes
  for (let level = [end], bytes = 0; level.length; bytes++) {
    const later: number[] = [];
    for (let i = 0; i < level.length; i++)
      for (const { from, cost } of into[level[i]!]!) {
        if (far[from]! <= bytes + cost) continue;
        far[from] = bytes + cost;
        (cost ? later : level).push(from);
      }
    level = later.filter((node) => far[node] === bytes + 1);
  }
  return far;
}

/** What is reached without reading, apart from where no end can be reached. */
function closure({ free, edges }: Graph, nodes: Iterable<number>, far: Float64Array): Uint32Array {
  const found = new Set<number>();
  const open = [...nodes];
  const seen = new Set<number>(open);
  while (open.length) {
    const node = open.pop()!;
    if (far[node] === Infinity) continue;
    // only what reads or ends tells states apart
    if (edges[node]!.length || node === end) found.add(node);
    for (const target of free[node]!) {
      if (seen.has(target)) continue;
      seen.add(target);
      open.push(target);
    }
  }
  return Uint32Array.from(found).sort();
}
