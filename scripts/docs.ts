/**
 * Writes docs/reference from the tables of the code, and the example into the README; with --check, says which pages are
 * out of date instead.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandsPage, configurationPage } from "./docs/commands.js";
import { errorsPage } from "./docs/errors.js";
import { modelsPage } from "./docs/models.js";
import { opsPage } from "./docs/ops.js";

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const textOf = (path: string) => (existsSync(at(path)) ? readFileSync(at(path), "utf8") : "");
const pages: Record<string, () => string | Promise<string>> = {
  "ops.md": opsPage,
  "models.md": modelsPage,
  "commands.md": commandsPage,
  "configuration.md": configurationPage,
  "errors.md": errorsPage,
};
const header = "<!-- Written by `npm run docs` from the tables of the code: change those, not this page. -->\n\n";

/** The README with the first example in it, as the file that CI runs has it. */
function readme(): string {
  const [begin, end] = ["<!-- example:begin -->", "<!-- example:end -->"];
  const text = textOf("README.md");
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  const example = `\n\n\`\`\`ts\n${textOf("examples/first.ts").trimEnd()}\n\`\`\`\n\n`;
  return `${text.slice(0, from)}${example}${text.slice(to)}`;
}

const check = process.argv.includes("--check");
mkdirSync(at("docs/reference"), { recursive: true });
const stale: string[] = [];
const write = (path: string, text: string) => {
  if (textOf(path) === text) return;
  stale.push(path);
  if (!check) writeFileSync(at(path), text);
};
for (const [name, page] of Object.entries(pages))
  write(`docs/reference/${name}`, `${header}${(await page()).trimEnd()}\n`);
write("README.md", readme());
if (stale.length === 0) console.log("the docs are up to date");
else console.log(`${check ? "out of date, run `npm run docs`" : "written"}: ${stale.join(", ")}`);
process.exit(check && stale.length ? 1 : 0);
