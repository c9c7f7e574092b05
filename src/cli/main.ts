/** The command line: words in, an exit code out. 0 done, 2 something the user can mend, 1 a bug, 130 interrupted. */
import { createRequire } from "node:module";
import { PlinthError } from "../ir/index.js";
import type { Context } from "./command.js";
import { commands } from "./commands.js";
import { fromSystem } from "./system-error.js";
import { flushed, type Opened, openContext, processWorld, type World } from "./world.js";

const version = () => (createRequire(import.meta.url)("../../package.json") as { version: string }).version;

type Name = keyof typeof commands;
const isCommand = (word: string): word is Name => Object.hasOwn(commands, word);

/** Run one command line; never throws. */
export async function main(argv: readonly string[], world: World = processWorld()): Promise<number> {
  const opened = openContext(world, argv);
  try {
    return await dispatch(argv, world, opened);
  } catch (error) {
    opened.close();
    return report(error, world, opened.context);
  } finally {
    opened.close();
    await flushed();
  }
}

async function dispatch(argv: readonly string[], world: World, opened: Opened): Promise<number> {
  const [word = "--help", ...rest] = argv;
  if (word === "--version") {
    world.out(`${version()}\n`);
    return 0;
  }
  if (word === "--help" || word === "-h" || (word === "help" && !rest.length)) {
    const { overview } = await import("./help.js");
    world.out(overview(world.columns ?? 100));
    return 0;
  }
  if (word === "help") return dispatch([...rest, "--help"], world, opened);
  if (isCommand(word)) {
    const { invoke } = await import("./invoke.js");
    return invoke(word, rest, world, opened);
  }
  const { suggestion } = await import("./suggestion.js");
  const kind = word.startsWith("-") ? "flag" : "command";
  const known = kind === "flag" ? ["--help", "--version"] : Object.keys(commands);
  throw new PlinthError("usage", `unknown ${kind} ${word}`, suggestion(word, known), "plinth");
}

function report(error: unknown, world: World, { json, verbose, emit }: Context): number {
  const known = error instanceof PlinthError ? error : fromSystem(error);
  if (known && known.code !== "internal") {
    const { code, what, at, help } = known;
    world.error(`plinth: ${known.message}\n`);
    if (json) emit({ error: { code, what, at, help } });
    return 2;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  world.error(`plinth: this is a bug: ${message}\n`);
  world.error(verbose ? `${stack}\n` : "  help: --verbose shows where; please report it with the command you ran\n");
  if (json) emit({ error: { code: "internal", what: message } });
  return 1;
}
