/** report.html: one offline file that says what pre-training saved, with plots, costs, data and honest limits. */
import { replaceFile } from "../models/index.js";
import type { ReportFacts } from "./facts.js";

/** Write the report whole: a reader sees the old one or the new one. Throws `disk` where it cannot be written. */
export async function writeReport(path: string, facts: ReportFacts): Promise<void> {
  await replaceFile(path, await reportHtml(facts));
}

/** The report as a page of HTML. It loads nothing: no script, font or image from elsewhere. */
export async function reportHtml(facts: ReportFacts): Promise<string> {
  // the plotting library takes half a second to load: commands that write no report do without
  const { documentOf } = await import("./report/document.js");
  return documentOf(facts);
}
