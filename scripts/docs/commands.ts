/** docs/reference/commands.md and configuration.md: what the command registry and its schemas say. */
import type { Command } from "../../src/cli/command.js";
import { commands } from "../../src/cli/commands.js";
import { common } from "../../src/cli/flags.js";
import { describeSchema, expected, type Flag, flagsOf } from "../../src/cli/schema.js";
import { builtIn, formats } from "../../src/data/index.js";
import { code, join, table } from "./markdown.js";

const load = (name: keyof typeof commands) => commands[name].load() as Promise<unknown> as Promise<Command>;
const names = Object.keys(commands) as (keyof typeof commands)[];

/** A section for each command, one after the other: the loader mixes up modules that are imported at once. */
async function sections(write: (name: keyof typeof commands) => Promise<string>): Promise<string[]> {
  const written: string[] = [];
  for (const name of names) written.push(await write(name));
  return written;
}

const usual = ({ node, required }: Flag) => {
  if (required) return "required";
  return node.default === undefined || JSON.stringify(node.default) === "[]" ? "" : code(JSON.stringify(node.default));
};

/** Option rows by their config names: name, kind, default, description. */
export const optionRows = (flags: readonly Flag[]): string[][] =>
  flags.map((f) => [code(f.path.join(".")), expected(f.node), usual(f), f.node.description ?? ""]);

async function commandSection(name: keyof typeof commands): Promise<string> {
  const command = await load(name);
  const flags = flagsOf(describeSchema(command.options));
  const rows = flags.map((f) => [code(f.name), expected(f.node), usual(f), f.node.description ?? ""]);
  const examples = command.examples.map(({ line, why }) => `# ${why}\n${line}`).join("\n");
  return join(
    `## plinth ${name}`,
    `${commands[name].summary}.`.replace(/^./, (c) => c.toUpperCase()),
    `\`\`\`sh\n${examples}\n\`\`\``,
    command.positional?.length ? `Without their flag, in this order: ${command.positional.map(code).join(", ")}.` : "",
    rows.length ? table(["option", "value", "default", "what it is"], rows) : "",
  );
}

/** Every command. */
export async function commandsPage(): Promise<string> {
  const codes = table(
    ["exit code", "meaning"],
    [
      ["0", "done"],
      ["1", "a bug in plinth"],
      ["2", "something you can mend: the message says what, where and how"],
      ["130", "interrupted; the message says how to go on"],
    ],
  );
  const everywhere = table(
    ["option", "what it is"],
    Object.entries(common).map(([flag, help]) => [code(flag), help]),
  );
  const written = await sections(commandSection);
  return join("# Commands", "Options of every command:", everywhere, codes, ...written);
}

/** Every key of a configuration file. */
export async function configurationPage(): Promise<string> {
  const written = await sections(async (name) => {
    const flags = flagsOf(describeSchema((await load(name)).options));
    return join(`## ${name}`, flags.length ? table(["key", "value", "default", "what it is"], optionRows(flags)) : "");
  });
  const intro =
    "A configuration file has one section a command, with the options of that command under their names. Flags win over " +
    "the file, the file over the defaults. `plinth.config.ts`, `.js`, `.yaml` or `.json` in the current folder is read " +
    "without being named; any other with `--config`.";
  const example = [
    "```ts",
    'import { defineConfig } from "plinth";',
    "",
    "export default defineConfig({",
    '  tokenize: { data: ["wordnet:definitions"], vocabSize: 4096 },',
    "});",
    "```",
  ].join("\n");
  const sources = table(
    ["source", "what it is"],
    [
      ...builtIn.map(({ name, summary }) => [code(name), summary]),
      ...Object.values(formats).map((f) => [f.extensions.map((e) => code(`.${e}`)).join(" "), f.summary]),
    ],
  );
  const data = join(
    "## Data",
    "Where an option takes data: a file, a folder, a glob in quotes, or a built-in source. Files may also end in `.gz` or `.zst`.",
    sources,
  );
  return join("# Configuration", intro, example, ...written, data);
}
