/** The process as the command line sees it: streams, folder, signals. Tests give their own. */
import type { Context } from "./command.js";

export interface World {
  readonly cwd: string;
  /** Columns of standard error where it is a terminal. */
  readonly columns: number | undefined;
  out(text: string): void;
  error(text: string): void;
  /** Call `handler` at each Ctrl-C or termination signal; the result stops that. */
  onInterrupt(handler: () => void): () => void;
  exit(code: number): void;
}

/** The real process. A reader that closes the pipe early (`plinth runs | head -1`) ends it quietly. */
export function processWorld(): World {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
  return {
    cwd: process.cwd(),
    columns: process.stderr.isTTY ? process.stderr.columns : undefined,
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    onInterrupt(handler) {
      const signals = ["SIGINT", "SIGTERM"] as const;
      for (const signal of signals) process.on(signal, handler);
      return () => {
        for (const signal of signals) process.off(signal, handler);
      };
    },
    exit: (code) => process.exit(code),
  };
}

/** Resolves when what was written has left the process. */
export const flushed = (): Promise<unknown> =>
  Promise.all([process.stdout, process.stderr].map((s) => new Promise<void>((done) => s.write("", () => done()))));

/** A context over a world, until it is closed. */
export interface Opened {
  readonly context: Context;
  /** Whether Ctrl-C asked the command to stop. */
  interrupted(): boolean;
  close(): void;
}

/** Exit code of a command that Ctrl-C stopped. */
export const interruptedCode = 130;

export function openContext(world: World, words: readonly string[]): Opened {
  const flags = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  const json = flags.includes("--json");
  const stop = new AbortController();
  let drawn = false;
  let release = () => {};
  const clear = () => {
    if (drawn) world.error("\r\x1b[2K");
    drawn = false;
  };
  const note = (text: string) => {
    clear();
    world.error(`${text}\n`);
  };
  const context: Context = {
    json,
    verbose: flags.includes("--verbose"),
    cwd: world.cwd,
    interactive: world.columns !== undefined,
    width: world.columns ?? 80,
    print(text) {
      if (json) return;
      clear();
      world.out(`${text}\n`);
    },
    write(piece) {
      if (json) return;
      clear();
      world.out(piece);
    },
    emit: (value) => {
      if (json) world.out(`${JSON.stringify(value)}\n`);
    },
    note,
    redraw(line) {
      if (world.columns === undefined) return;
      world.error(`\r\x1b[2K${line}`);
      drawn = true;
    },
    interruptible(text = "a checkpoint is being saved") {
      release();
      release = world.onInterrupt(() => {
        if (stop.signal.aborted) return world.exit(interruptedCode);
        note(`stopping: ${text} (Ctrl-C again stops at once)`);
        stop.abort();
      });
      return stop.signal;
    },
  };
  const close = () => {
    clear();
    release();
  };
  return { context, interrupted: () => stop.signal.aborted, close };
}
