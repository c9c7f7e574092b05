/** Which groups are carried out by the matrix product that they read, block by block. */
import { nodes, type Program } from "../../ir/index.js";
import type { Desk } from "./forms.js";
import type { Groups, Unit } from "./groups.js";
import { isReduction, origin } from "./groups.js";
import type { MapCode } from "./map.js";
import { spaceOf } from "./matmul.js";
import { refined } from "./strides.js";

/** A product's unit to the group that ends it. */
export function epilogues(
  { outputs, next }: Program,
  groups: Groups,
  { codeOf, desk, op }: { codeOf: (unit: Unit) => MapCode; desk: Desk; op: (name: string) => number },
): Map<Unit, Unit> {
  // outputs are there before the state is written: what they are made of cannot end in writing it
  const asked = new Set(nodes(Object.values(outputs)));
  const kept = new Set(Object.values(next).map((t) => origin(t).node));
  const ends = new Map<Unit, Unit>();
  const taken = new Set<Unit>();
  for (const unit of groups.units) {
    const [node] = unit.nodes;
    if (unit.dims || node!.op.name !== "matmul") continue;
    const y = node!.outputs[0]!;
    const views = [...node!.inputs, y].map((t) => desk.view(t)) as [ReturnType<Desk["view"]>, never, never];
    const fits = (group: Unit) =>
      !taken.has(group) &&
      !(asked.has(node!) && group.nodes.some((n) => kept.has(n))) &&
      !group.nodes.some(isReduction) &&
      refined(group.dims!, y.shape) !== undefined &&
      !groups.waits(group, unit) &&
      codeOf(group).wordsOver(op, spaceOf(node!, views)) !== undefined;
    const group = groups
      .readersOf(node!)
      .flatMap((r) => (r.node && r.linear ? groups.unitsOf(r.node) : []))
      .find(fits);
    if (!group) continue;
    ends.set(unit, group);
    taken.add(group);
  }
  return ends;
}
