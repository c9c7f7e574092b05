/** A program: what a run computes, and what each leaf of the state becomes after it. */
import { constantData, isConstant, isInput, isParam, nameOf, params, splatOf } from "./leaf.js";
import { type Node, nodes, type Tensor } from "./tensor.js";
import { show } from "./type.js";

export interface Program {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly next: Readonly<Record<string, Tensor>>;
}

/** Everything a program computes, in a fixed order: outputs, then next. */
export const roots = (p: Program): Tensor[] => [...Object.values(p.outputs), ...Object.values(p.next)];

/** The same program with its roots replaced, in the order of `roots`. */
export function withRoots(p: Program, next: readonly Tensor[]): Program {
  let i = 0;
  const take = (record: Readonly<Record<string, Tensor>>) =>
    Object.fromEntries(Object.keys(record).map((name) => [name, next[i++]!]));
  return { outputs: take(p.outputs), next: take(p.next) };
}

/** The leaves that must be fed, each name once. */
export function inputs(p: Program): Tensor[] {
  const found = new Map<string, Tensor>();
  for (const { outputs } of nodes(roots(p))) {
    const t = outputs[0]!;
    if (isInput(t)) found.set(nameOf(t), t);
  }
  return [...found.values()];
}

/** The parameters that `roots` reach without crossing a `detach`: those that learn. */
export function trainable(roots: readonly Tensor[]): Tensor[] {
  const seen = new Set<Node>();
  const found: Tensor[] = [];
  const stack = [...roots].reverse();
  while (stack.length) {
    const t = stack.pop()!;
    if (seen.has(t.node) || t.op.name === "detach") continue;
    seen.add(t.node);
    if (isParam(t)) found.push(t);
    stack.push(...[...t.inputs].reverse());
  }
  return params(found);
}

/** The program as text, one node a line: `%3 = matmul(%1, blocks.0.weight) f32[4,8]`. */
export function print(p: Program): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  let count = 0;
  for (const node of nodes(roots(p))) {
    const first = node.outputs[0]!;
    if (isParam(first) || isInput(first)) {
      names.set(first, nameOf(first));
      lines.push(`${node.op.name} ${nameOf(first)}: ${show(first.type)}`);
    } else if (isConstant(first)) names.set(first, constantText(first));
    else {
      const id = count++;
      const outs = node.outputs.map((t) => (node.outputs.length > 1 ? `%${id}.${t.index}` : `%${id}`));
      node.outputs.forEach((t, i) => {
        names.set(t, outs[i]!);
      });
      const args = [...node.inputs.map((t) => names.get(t)!), ...attrsText(node.attrs)];
      lines.push(`${outs.join(", ")} = ${node.op.name}(${args.join(", ")}) ${node.types.map(show).join(" ")}`);
    }
  }
  for (const [name, t] of Object.entries(p.outputs)) lines.push(`output ${name} = ${names.get(t)}`);
  for (const [name, t] of Object.entries(p.next)) lines.push(`next ${name} = ${names.get(t)}`);
  return lines.join("\n");
}

function constantText(t: Tensor): string {
  const x = splatOf(t);
  if (x !== undefined)
    return t.shape.length ? `${Number(x.toPrecision(7))}:${show(t.type)}` : `${Number(x.toPrecision(7))}`;
  const data = constantData(t) as Float64Array;
  return data.length <= 8
    ? `[${[...data].map((v) => Number(v.toPrecision(7))).join(" ")}]`
    : `constant:${show(t.type)}`;
}
const attrsText = (attrs: unknown): string[] =>
  attrs === undefined ? [] : [JSON.stringify(attrs).replaceAll('"', "")].filter((s) => s !== "{}");
