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
  argmax,
  ...networkForms,
  ...imageForms,
};
