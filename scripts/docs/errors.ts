/** docs/reference/errors.md: the catalogue of error codes. */
import { codes } from "../../src/ir/index.js";
import { code, join, table } from "./markdown.js";

/** Every code. */
export function errorsPage(): string {
  const intro =
    "Every error is a `PlinthError` with a `code`, `what` is wrong, `at` which place, and `help`: what to do. On the command " +
    "line they end the program with exit code 2, and under `--json` they are printed as an object with these fields.";
  return join(
    "# Errors",
    intro,
    table(
      ["code", "when"],
      Object.entries(codes).map(([name, when]) => [code(name), when]),
    ),
  );
}
