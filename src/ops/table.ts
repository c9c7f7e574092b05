/** Every op, by name: one line a family. Tests, engines and docs read this. */
import type { AnyOp } from "../ir/index.js";
import * as activation from "./activation.js";
import * as attention from "./attention.js";
import * as batchNorm from "./batch-norm.js";
import * as conv from "./conv.js";
import * as cumsum from "./cumsum.js";
import * as elementwise from "./elementwise.js";
import * as index from "./index-ops.js";
import * as linalg from "./linalg.js";
import * as loss from "./loss.js";
import * as norm from "./norm.js";
import * as pool from "./pool.js";
import * as random from "./random.js";
import * as reduce from "./reduce.js";
import * as rotary from "./rotary.js";
import * as shape from "./shape.js";

const families = {
  elementwise,
  linalg,
  shape,
  reduce,
  cumsum,
  index,
  random,
  activation,
  norm,
  attention,
  rotary,
  loss,
  conv,
  pool,
  batchNorm,
};

const isOp = (x: unknown): x is AnyOp => typeof x === "function" && "samples" in x;
/** Op name to op. */
export const table: ReadonlyMap<string, AnyOp> = new Map(
  Object.values(families).flatMap((family) =>
    Object.values(family)
      .filter(isOp)
      .map((op): [string, AnyOp] => [op.name, op]),
  ),
);
/** Op name to the family it is documented under. */
export const familyOf = (name: string): string | undefined =>
  Object.entries(families).find(([, family]) => Object.values(family).some((op) => isOp(op) && op.name === name))?.[0];
