/** One command, from its words to its exit code. */
import type { Command, Context } from "./command.js";
import { commands } from "./commands.js";
import { parse } from "./flags.js";
import { commandHelp } from "./help.js";
import { resolveOptions } from "./options.js";
import { describeSchema, flagsOf } from "./schema.js";
import type { World } from "./world.js";

export async function invoke(
  name: keyof typeof commands,
  words: readonly string[],
  world: World,
  context: Context,
): Promise<number> {
  const { summary, load } = commands[name];
  const command = (await load()) as unknown as Command;
  if (words.includes("--help") || words.includes("-h")) {
    world.out(commandHelp(name, summary, command, world.columns ?? 100));
    return 0;
  }
  const flags = flagsOf(describeSchema(command.options));
  const parsed = parse(words, flags, command.positional ?? [], name);
  const at = { name, known: Object.keys(commands), cwd: world.cwd, note: context.note };
  const options = await resolveOptions(at, command, parsed);
  return (await command.run(options as never, context)) ?? 0;
}
