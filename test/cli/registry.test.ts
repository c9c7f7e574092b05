/** What holds for every command there is. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { globSync } from "tinyglobby";
import { describe, expect, test } from "vitest";
import type { Command } from "../../src/cli/command.js";
import { commands } from "../../src/cli/commands.js";
import { loadConfig, sectionOf } from "../../src/cli/config.js";
import { common, parse } from "../../src/cli/flags.js";
import { commandHelp } from "../../src/cli/help.js";
import { suggestions } from "../../src/cli/quickstart.js";
import { describeSchema, flagsOf, strayKey } from "../../src/cli/schema.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The words of a shell line, quotes taken off. */
const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? "");

describe.each(Object.entries(commands))("plinth %s", (name, { summary, load }) => {
  const loaded = load() as Promise<unknown> as Promise<Command>;

  test("has an example, and each is accepted as printed", async () => {
    const command = await loaded;
    const flags = flagsOf(describeSchema(command.options));
    expect(command.examples.length).toBeGreaterThan(0);
    for (const { line, why } of command.examples) {
      expect(why).not.toBe("");
      const [npx, plinth, own, ...rest] = words(line);
      expect([npx, plinth, own]).toEqual(["npx", "plinth", name]);
      const parsed = parse(rest, flags, command.positional ?? [], name);
      expect(command.options.safeParse(parsed.options).error?.issues).toBeUndefined();
    }
  });

  test("describes each option, by a name of its own", async () => {
    const command = await loaded;
    const flags = flagsOf(describeSchema(command.options));
    expect(flags.filter((f) => !f.node.description).map((f) => f.name)).toEqual([]);
    const names = [...flags.map((f) => f.name), ...Object.keys(common)];
    expect(new Set(names).size).toBe(names.length);
    for (const word of command.positional ?? []) expect(flags.map((f) => f.path.join("."))).toContain(word);
  });

  test("has a help text that fits 80 columns, apart from its examples", async () => {
    const help = commandHelp(name, summary, await loaded, 80);
    const long = help.split("\n").filter((line) => line.length > 80 && !/^ {2}(#|npx )/.test(line));
    expect(long).toEqual([]);
  });
});

/** Hold a line as a user may type it, a remark after " # " left out, to the schema of its command. */
async function expectAccepted(line: string): Promise<void> {
  const [npx, plinth, name = "", ...rest] = words(line.split(" # ")[0] ?? "");
  expect([npx, plinth]).toEqual(["npx", "plinth"]);
  expect(Object.keys(commands)).toContain(name);
  const command = (await commands[name as keyof typeof commands].load()) as unknown as Command;
  const parsed = parse(rest, flagsOf(describeSchema(command.options)), command.positional ?? [], name);
  expect(command.options.safeParse(parsed.options).error?.issues).toBeUndefined();
}

test("every command line in the README is accepted", async () => {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const lines = [...text.matchAll(/^npx plinth (?!<command>).*$/gm)];
  expect(lines.length).toBeGreaterThan(0);
  for (const [line] of lines) await expectAccepted(line);
});

test.each(["runs/quickstart", "elsewhere/my first"])("what a quickstart in %s suggests is accepted", async (out) => {
  const lines = suggestions(out);
  expect(words(lines[0]!)).toContain(`${out}/gpt`);
  for (const line of lines) await expectAccepted(line);
});

test.each(globSync(["examples/*.yaml", "models/*/recipe.yaml"], { cwd: root }))(
  "%s is accepted as it is",
  async (path) => {
    const file = await loadConfig(path, root);
    const known = Object.keys(commands) as (keyof typeof commands)[];
    const used = known.filter((name) => Object.keys(sectionOf(file, name, known)).length > 0);
    expect(used.length).toBeGreaterThan(0);
    for (const name of used) {
      const command = (await commands[name].load()) as unknown as Command;
      const section = sectionOf(file, name, known);
      expect(strayKey(describeSchema(command.options), section)).toBeUndefined();
      expect(command.options.safeParse(section).error?.issues).toBeUndefined();
    }
  },
);

test("summaries are one line that starts in lower case and ends without a full stop", () => {
  for (const { summary } of Object.values(commands)) expect(summary).toMatch(/^[a-z].*[^.]$/);
});
