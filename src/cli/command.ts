/** A command is a schema and a run: flags, help, config keys and the reference page all derive from the schema. */
import type { z } from "zod";

/** What a command may use of the world outside it. */
export interface Context {
  /** True under `--json`: standard output carries JSON and nothing else. */
  readonly json: boolean;
  readonly verbose: boolean;
  /** The folder that relative paths start from. */
  readonly cwd: string;
  /** Standard output is a terminal someone may be watching. */
  readonly interactive: boolean;
  /** Columns of the terminal; 80 where there is none. */
  readonly width: number;
  /** Text for people, on standard output; silent under `--json`. */
  print(text: string): void;
  /** A piece of text for people, without an end of line; silent under `--json`. */
  write(piece: string): void;
  /** One JSON line for programs, on standard output; silent without `--json`. */
  emit(value: unknown): void;
  /** A remark on standard error, in either mode. */
  note(text: string): void;
  /** A line on standard error that the next one overwrites; nothing where standard error is no terminal. */
  redraw(line: string): void;
  /**
   * From here Ctrl-C aborts this signal instead of ending the process, and a second one ends it at once. A command
   * that returns after that has saved its run; the user is then told how to go on: the same command with --resume.
   * `text` says what happens at the first one, where that is not that a checkpoint is saved.
   */
  interruptible(text?: string): AbortSignal;
}

/** A line that works as printed, and what it is for. */
export interface Example {
  readonly line: string;
  readonly why: string;
}

/** One command of the command line. */
export interface Command<S extends z.ZodObject = z.ZodObject> {
  /** Every option, flags and config keys alike; each needs `.describe()`. */
  readonly options: S;
  /** Options that may be given without their flag, in order; a list takes all that remain. */
  readonly positional?: readonly (keyof z.input<S> & string)[];
  readonly examples: readonly Example[];
  /** Do it. A number is the exit code; nothing means 0. Throws PlinthError for what the user can mend (exit code 2). */
  run(options: z.output<S>, context: Context): Promise<number | undefined>;
}

/** Declare a command, with its options typed by its schema. */
export const command = <S extends z.ZodObject>(c: Command<S>): Command<S> => c;
