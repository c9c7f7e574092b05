/** The help texts: of plinth, and of one command. */
import type { Command } from "./command.js";
import { commands } from "./commands.js";
import { common } from "./flags.js";
import { describeSchema, type Flag, flagsOf, itemOf, placeholder } from "./schema.js";

const wrap = (text: string, indent: number, width: number): string => {
  const room = Math.max(24, width - indent);
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= room) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${" ".repeat(indent)}`);
};

const rows = (pairs: readonly (readonly [string, string])[], width: number): string => {
  const column = Math.min(34, Math.max(...pairs.map(([left]) => left.length)) + 2);
  return pairs
    .map(([left, right]) => {
      const lead = left.length + 2 > column ? `${left}\n  ${" ".repeat(column)}` : left.padEnd(column);
      return `  ${lead}${wrap(right, column + 2, width)}`;
    })
    .join("\n");
};

/** What `plinth --help` prints; imports no command. */
export function overview(width: number): string {
  const list = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  return [
    "plinth: foundation models in TypeScript",
    "",
    "Usage: plinth <command> [options]",
    "",
    "Commands:",
    rows(list, width),
    "",
    "  plinth <command> --help shows its options and an example; plinth --version prints the version.",
    "",
  ].join("\n");
}

const shown = (value: unknown): string => (Array.isArray(value) ? value.map(shown).join(" ") : String(value));

/** `--steps <number>`, and `--[no-]best` for a switch that is on unless it is turned off. */
const spelled = ({ name, node }: Flag): string =>
  node.default === true ? name.replace("--", "--[no-]") : `${name} ${placeholder(node)}`.trim();

const said = ({ node, required }: Flag): string => {
  const plain = typeof node.default === "string" || typeof node.default === "number" || Array.isArray(node.default);
  const usual = plain && `${node.default}` !== "" ? ` (default ${shown(node.default)})` : "";
  return `${node.description ?? ""}${required ? " (required)" : usual}`.trim();
};

/** What `plinth <command> --help` prints. */
export function commandHelp(name: string, summary: string, command: Command, width: number): string {
  const flags = flagsOf(describeSchema(command.options));
  const words = (command.positional ?? []).map((p) => {
    const flag = flags.find((f) => f.path.join(".") === p)!;
    const word = itemOf(flag.node) ? `${p}...` : p;
    return flag.required ? `<${word}>` : `[${word}]`;
  });
  const options = flags.map((f) => [spelled(f), said(f)] as const);
  return [
    wrap(`plinth ${name}: ${summary}`, 0, width),
    "",
    `Usage: plinth ${[name, ...words].join(" ")} [options]`,
    "",
    command.examples.length > 1 ? "Examples:" : "Example:",
    ...command.examples.flatMap(({ line, why }) => [`  # ${why}`, `  ${line}`]),
    "",
    ...(options.length ? ["Options:", rows(options, width), ""] : []),
    "Every command:",
    rows(Object.entries(common), width),
    "",
  ].join("\n");
}
