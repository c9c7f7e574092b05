/** How ops are said to the native engine's kernels: one entry an op, in the order of words that the kernel reads. */
import { type Node, size, splatOf, type Tensor } from "../../ir/index.js";
import { Draft } from "./draft.js";
import { imageForms } from "./image-forms.js";
import { matmul } from "./matmul.js";
import type { Instruction, View } from "./memory.js";
import { networkForms } from "./network-forms.js";

/** What a form is written with. */
export interface Desk {
  /** A value as it lies in memory, in whatever order of its axes. */
  view(t: Tensor): View;
  /** A value whose elements lie in a row: copied where they do not. */
  row(t: Tensor): View;
  /** Where a result is stored. */
  result(t: Tensor): View;
  /** Ends the run where one of these indices is not inside `0..limit`. */
  check(indices: Tensor, limit: number): void;
}
export type Form = (node: Node, desk: Desk) => Instruction;

const width = (t: Tensor): number => size(t.shape.slice(1));

const gather: Form = ({ inputs: [rows, ids], outputs: [y] }, desk) => {
  const limit = rows!.shape[0]!;
  desk.check(ids!, limit);
  return new Draft("gather", [y!])
    .numbers(size(ids!.shape), width(rows!), limit)
    .type(rows!.dtype)
    .type(ids!.dtype)
    .read(desk.row(ids!))
    .read(desk.row(rows!))
    .write(desk.result(y!))
    .done();
};

const scatterAdd: Form = ({ inputs: [base, ids, updates], outputs: [y] }, desk) => {
  const limit = base!.shape[0]!;
  desk.check(ids!, limit);
  const draft = new Draft("scatterAdd", [y!])
    .numbers(size(ids!.shape), width(base!), limit)
    .type(ids!.dtype)
    .read(desk.row(ids!));
  return based(draft, base!, desk, desk.result(y!)).read(desk.row(updates!)).write(desk.result(y!)).done();
};

const gatherLast: Form = ({ inputs: [x, ids], outputs: [y] }, desk) => {
  const limit = x!.shape.at(-1)!;
  desk.check(ids!, limit);
  return new Draft("gatherLast", [y!])
    .numbers(size(ids!.shape), limit)
    .type(x!.dtype)
    .type(ids!.dtype)
    .read(desk.row(ids!))
    .read(desk.row(x!))
    .write(desk.result(y!))
    .done();
};

const scatterLast: Form = ({ inputs: [base, ids, updates], outputs: [y] }, desk) => {
  const limit = base!.shape.at(-1)!;
  desk.check(ids!, limit);
  const draft = new Draft("scatterLast", [y!]).numbers(size(ids!.shape), limit).type(ids!.dtype).read(desk.row(ids!));
  return based(draft, base!, desk, desk.result(y!)).read(desk.row(updates!)).write(desk.result(y!)).done();
};

/** What is added to: nothing where it is zero everywhere. */
function based(draft: Draft, base: Tensor, desk: Desk, result: View): Draft {
  if (splatOf(base) === 0) return draft.numbers(false);
  const view = desk.row(base);
  return draft.numbers(true).read(view).over(view, result);
}

/** Elements in front of an axis, along it and behind it; `part` is what lies along it in the value that is moved. */
function moved(kernel: string, node: Node, desk: Desk, { whole, part }: { whole: Tensor; part: Tensor }): Draft {
  const { axis } = node.attrs as { axis: number };
  const [length, count] = [whole.shape[axis]!, part.shape[axis]!];
  const at = node.inputs[1]!;
  desk.check(at, length - count + 1);
  return new Draft(kernel, node.outputs)
    .numbers(size(whole.shape.slice(0, axis)), length, count, size(whole.shape.slice(axis + 1)))
    .type(whole.dtype)
    .type(at.dtype)
    .read(desk.row(at));
}

const sliceAt: Form = (node, desk) => {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  return moved("sliceAt", node, desk, { whole: x, part: y }).read(desk.row(x)).write(desk.result(y)).done();
};

const writeAt: Form = (node, desk) => {
  const [base, , values] = node.inputs as [Tensor, Tensor, Tensor];
  const [from, to] = [desk.row(base), desk.result(node.outputs[0]!)];
  const draft = moved("writeAt", node, desk, { whole: base, part: values });
  return draft.read(from).over(from, to).read(desk.row(values)).write(to).done();
};

const argmax: Form = ({ inputs: [x], outputs: [y], attrs }, desk) => {
  const { axis } = attrs as { axis: number };
  const { shape } = x!;
  return new Draft("argmax", [y!])
    .numbers(size(shape.slice(0, axis)), shape[axis]!, size(shape.slice(axis + 1)))
    .read(desk.row(x!))
    .write(desk.result(y!))
    .done();
};

/** Op name to its form. An op that has none, and is not elementwise, is run as what it lowers to. */
export const forms: Readonly<Record<string, Form>> = {
  matmul: (node, desk) => matmul(node, desk),
  gather,
  scatterAdd,
  gatherLast,
  scatterLast,
  sliceAt,
  writeAt,
  argmax,
  ...networkForms,
  ...imageForms,
};
