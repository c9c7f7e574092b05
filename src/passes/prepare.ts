/** What every engine does to a program before it runs it. */
import { type AnyOp, type Program, roots, withRoots } from "../ir/index.js";
import { dedupe } from "./dedupe.js";
import { fold } from "./fold.js";
import { lower } from "./lower.js";

/** The same program, lowered to the ops that `keeps` accepts, folded, with nothing computed twice. */
export function prepare(program: Program, keeps: (op: AnyOp) => boolean): Program {
  const lowered = lower(dedupe(roots(program)), keeps);
  return withRoots(program, dedupe(fold(dedupe(fold(dedupe(lowered))))));
}
