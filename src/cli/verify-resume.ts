/** `plinth verify-resume`: proof that a run can be stopped and resumed without a trace. */
import { verifyResumeOptions, verifyRun } from "../jobs/index.js";
import { command } from "./command.js";
import { bytes } from "./terminal.js";

/** Exit code 1 when a bit differs. */
export const verifyResume = command({
  options: verifyResumeOptions,
  positional: ["run"],
  examples: [
    {
      line: "npx plinth verify-resume runs/first --steps 10",
      why: "the run's first steps again: 10 in one go, and 5 + restart + 5, compared bit by bit",
    },
  ],
  async run(options, context) {
    const check = await verifyRun(options);
    context.emit(check);
    const half = Math.floor(check.steps / 2);
    const compared = `${check.tensors} tensors, ${bytes(check.bytes)}: weights and what the optimiser remembers`;
    context.print(`${check.run}: ${check.steps} steps in one go, and ${half} + restart + ${check.steps - half}`);
    context.print(`compared ${compared}`);
    if (check.same) context.print("pass: every bit is the same");
    else context.print(`FAIL: ${check.different.length} differ: ${check.different.slice(0, 8).join(", ")}`);
    return check.same ? undefined : 1;
  },
});
