/** Runs side by side: facts for a table, and a report in one file. */
import { dirname } from "node:path";
import { z } from "zod";
import { compare, type ReportFacts, writeReport } from "../evaluate/index.js";
import { makeFolder } from "../models/index.js";
import { optionsOf } from "./options.js";

/** What `compareRuns` takes. */
export const compareOptions = z.object({
  runs: z.array(z.string()).min(1).describe("run folders, or folders with a curve.json"),
  out: z.string().optional().describe("write a report to this file: one page of HTML with plots, for a browser"),
});

/** What the folders record, and where they differ. Throws `run` for a folder that holds none, `disk` when it cannot write. */
export async function compareRuns(given: z.input<typeof compareOptions>): Promise<ReportFacts> {
  const { runs, out } = optionsOf(compareOptions, given);
  const facts = await compare(runs);
  if (out !== undefined) {
    await makeFolder(dirname(out));
    await writeReport(out, facts);
  }
  return facts;
}
