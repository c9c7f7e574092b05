/** Where nodes are made: the line of a model that a value comes from, known only where it is asked for. */

/** Set while `traced` or `madeAt` builds; building a graph is synchronous, so that nothing else runs meanwhile. */
let place: (() => string | undefined) | undefined;

/** What `build` gives; each node made by it knows its line: `src/models/gpt.ts:87`. Reading the call stack takes time: for profiles. */
export const traced = <T>(build: () => T): T => placed(lineOutside, build);

/** What `build` gives; each node made by it is said to be made at `at`, where that is known. */
export const madeAt = <T>(at: string | undefined, build: () => T): T =>
  at === undefined ? build() : placed(() => at, build);

/** Where a node made now is made. */
export const currentPlace = (): string | undefined => place?.();

function placed<T>(next: typeof place, build: () => T): T {
  const before = place;
  place = next;
  try {
    return build();
  } finally {
    place = before;
  }
}

const here = plain(import.meta.url);
/** The folder of `src`, or of `dist`. */
const source = here.slice(0, here.lastIndexOf("/ir/") + 1);
const root = source.slice(0, source.slice(0, -1).lastIndexOf("/") + 1);
const inside = /^(ir|ops|grad|passes|optim|nn)\//;

/** The first line on the call stack that is not of plinth's own language: `file:line`, from the folder of plinth or the current one. */
function lineOutside(): string | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 64;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  for (const frame of stack.split("\n").slice(1)) {
    const [, path, line] = /\(?([^\s()][^()]*):(\d+):\d+\)?$/.exec(frame.replace(/^\s*at (async )?/, "")) ?? [];
    if (path === undefined) continue;
    const file = plain(path.slice(path.search(/file:\/\/|\/|\w:\\/)));
    const own = file.startsWith(source) && inside.test(file.slice(source.length));
    if (!own && !path.startsWith("node:")) return `${shortened(file)}:${line}`;
  }
  return undefined;
}

/** A path as text with forward slashes, whether it was one or a URL. */
function plain(path: string): string {
  return path.startsWith("file:") ? decodeURI(path.replace(/^file:\/\//, "")) : path.replaceAll("\\", "/");
}

function shortened(file: string): string {
  const base = [root, `${process.cwd().replaceAll("\\", "/")}/`].find((folder) => file.startsWith(folder));
  return base ? file.slice(base.length) : file;
}
