/** `plinth compare`: runs side by side, as tables and as a report. */

import { factTables, renderTable } from "../evaluate/index.js";
import { compareOptions, compareRuns } from "../jobs/index.js";
import { command } from "./command.js";

/** Prints what the runs reached, what they cost and in what they differ. */
export const compare = command({
  options: compareOptions,
  positional: ["runs"],
  examples: [
    {
      line: "npx plinth compare runs/first runs/second",
      why: "what two runs reached, what they cost, in what they differ",
    },
    { line: "npx plinth compare runs/first runs/second --out runs/report.html", why: "the same as a page with plots" },
  ],
  async run(options, context) {
    const facts = await compareRuns(options);
    context.emit({ ...facts, ...(options.out !== undefined && { report: options.out }) });
    const tables = factTables(facts).map((table) => renderTable(table, { width: context.width }));
    context.print([...tables, ...(facts.limits ?? [])].join("\n\n"));
    if (options.out !== undefined) context.print(`\nthe report is ${options.out}`);
    return undefined;
  },
});
