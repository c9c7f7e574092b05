/** One command, from its words to its exit code. */
import type { Command } from "./command.js";
import { commands } from "./commands.js";
import { parse } from "./flags.js";
import { commandHelp } from "./help.js";
import { resolveOptions } from "./options.js";
import { describeSchema, flagsOf } from "./schema.js";
import { interruptedCode, type Opened, type World } from "./world.js";

export async function invoke(
  name: keyof typeof commands,
  words: readonly string[],
  world: World,
  { context, interrupted }: Opened,
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
  const code = (await command.run(options as never, context)) ?? 0;
  if (code !== 0 || !interrupted()) return code;
  const resumes = flags.some((flag) => flag.name === "--resume");
  context.note(`stopped and saved; go on with: ${goOn([name, ...words], resumes)}`);
  return interruptedCode;
}

/** The command that goes on with an interrupted run: what was typed, resuming. */
function goOn(typed: readonly string[], resumes: boolean): string {
  const quoted = (word: string) => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const kept = typed.filter((word) => !["--replace", "--resume", "--fresh"].includes(word));
  return ["npx plinth", ...kept.map(quoted), ...(resumes ? ["--resume"] : [])].join(" ");
}
