/** A model stored in half precision is read back and held to the one it was rounded from. */
import { rm } from "node:fs/promises";
import { fail } from "../ir/index.js";
import type { Engine, Session } from "../runtime/index.js";
import { openBase } from "./base.js";
import type { LanguageRun } from "./language-run.js";

/** How far the held-out loss may move by rounding, as a share of it. */
const tolerance = 0.01;
/** Batches that are scored on both sides. */
const batches = 10;

/** Score the stored model and the session's on held-out text. Throws `parity`, and takes the folder away. */
export async function requireStored(
  { weights, scorer }: Pick<LanguageRun, "weights" | "scorer">,
  { path, session, engine }: { path: string; session: Session; engine: Engine },
): Promise<void> {
  const base = await openBase(path);
  await using stored = await base.open(engine, weights);
  const score = scorer(batches);
  const [before, after] = [(await score(session))["loss"]!, (await score(stored))["loss"]!];
  if (Math.abs(after - before) <= tolerance * before) return;
  await rm(path, { recursive: true, force: true });
  throw fail(
    "parity",
    `stored in half precision, the model has a held-out loss of ${after.toFixed(3)}, not ${before.toFixed(3)}`,
    "store the weights as f32",
  );
}
