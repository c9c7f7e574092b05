/** Writes docs/reference from the tables of the code; with --check, says which pages are out of date instead. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandsPage, configurationPage } from "./docs/commands.js";
import { errorsPage } from "./docs/errors.js";
import { modelsPage } from "./docs/models.js";
import { opsPage } from "./docs/ops.js";

const folder = new URL("../docs/reference/", import.meta.url);
const pages: Record<string, () => string | Promise<string>> = {
  "ops.md": opsPage,
  "models.md": modelsPage,
  "commands.md": commandsPage,
  "configuration.md": configurationPage,
  "errors.md": errorsPage,
};
const header = "<!-- Written by `npm run docs` from the tables of the code: change those, not this page. -->\n\n";

const check = process.argv.includes("--check");
mkdirSync(folder, { recursive: true });
const stale: string[] = [];
for (const [name, write] of Object.entries(pages)) {
  const path = fileURLToPath(new URL(name, folder));
  const text = `${header}${(await write()).trimEnd()}\n`;
  let before = "";
  try {
    before = readFileSync(path, "utf8");
  } catch {
    // a page that is not there yet is out of date
  }
  if (before === text) continue;
  stale.push(`docs/reference/${name}`);
  if (!check) writeFileSync(path, text);
}
if (stale.length === 0) console.log("docs/reference is up to date");
else console.log(`${check ? "out of date, run `npm run docs`" : "written"}: ${stale.join(", ")}`);
process.exit(check && stale.length ? 1 : 0);
