/** Where the shared data of the project's own tests lies, on machines that have it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Path of a shared data set, or undefined where it is absent; tests that need it are then skipped, and say so. */
export function shared(name: string): string | undefined {
  const root = process.env["PLINTH_DATA"] ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
  const path = `${root}/${name}`;
  if (existsSync(path)) return path;
  console.warn(`skipped: no ${name} under PLINTH_DATA or ../shared/data`);
  return undefined;
}
