/** Proof on a user's own run that it can be stopped and resumed: its first steps in one go and in two, bit by bit. */
import { z } from "zod";
import { fail } from "../ir/index.js";
import { type ResumeCheck, type RunRecord, readRun, verifyResume } from "../train/index.js";
import { adaptOptionsOf, planAdapt } from "./adapt.js";
import { adaptLanguageOptionsOf, planAdaptLanguage } from "./adapt-language.js";
import { adaptPairsOptionsOf, planAdaptPairs } from "./adapt-pairs.js";
import { optionsOf } from "./options.js";
import type { Planned } from "./planned.js";
import { planPretrain, pretrainOptionsOf } from "./pretrain.js";

/** What `verifyRun` takes. */
export const verifyResumeOptions = z.object({
  run: z.string().describe("the run folder"),
  steps: z.int().min(2).default(8).describe("steps that are taken in one go, and again with a restart half-way"),
});

/** What was compared, and whether it is the same. */
export interface RunCheck extends ResumeCheck {
  readonly run: string;
  readonly kind: string;
}

type Plan = (record: RunRecord, folder: string) => Promise<Planned>;

/** How each kind of run is planned again from its run.json. */
const plans: Readonly<Record<string, Plan>> = {
  "adapt text-classification": ({ config }, folder) => planAdapt(adaptOptionsOf(config, folder)),
  pretrain: ({ config }, folder) => planPretrain(pretrainOptionsOf(config, folder)),
  "adapt language-modelling": ({ config }, folder) => planAdaptLanguage(adaptLanguageOptionsOf(config, folder)),
  "adapt sentence-pairs": ({ config }, folder) => planAdaptPairs(adaptPairsOptionsOf(config, folder)),
  "adapt text-to-text": ({ config }, folder) => planAdaptPairs(adaptPairsOptionsOf(config, folder)),
};

/**
 * Take the first steps of a run again, from its own settings and data: straight, and with a restart from the checkpoint half-way.
 * The run itself is not touched. Throws `run` for a folder without a run, of a kind that is not known, or whose data has changed.
 */
export async function verifyRun(given: z.input<typeof verifyResumeOptions>): Promise<RunCheck> {
  const { run, steps } = optionsOf(verifyResumeOptions, given);
  const record = await readRun(run);
  const kind = [record.config["kind"], record.config["task"]].filter(Boolean).join(" ");
  const plan = plans[kind];
  if (!plan)
    throw fail(
      "run",
      `runs of kind "${kind}" cannot be taken again`,
      `those can: ${Object.keys(plans).join(", ")}`,
      run,
    );
  await using planned = await plan(record, run);
  requireSameData(record, planned, run);
  const check = await verifyResume(planned.job, { folder: run, steps });
  return { run, kind, ...check };
}

function requireSameData(record: RunRecord, { settings }: Planned, run: string): void {
  const names = Object.keys(record.data).filter((name) => record.data[name] !== settings.data[name]);
  if (!names.length) return;
  throw fail(
    "run",
    `what the run learnt from has changed since: ${names.join(", ")}`,
    "put the data back as it was, and start from the same folder",
    run,
  );
}
