/** A lock file: one process at a time works in a run folder, and a dead one's lock is taken over. */
import { readFileSync } from "node:fs";
import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail } from "../ir/index.js";
import { diskError, writing } from "../models/index.js";

/** Take the lock file at `path`; the result releases it. Throws code run when a living process holds it. */
export async function lock(path: string): Promise<() => Promise<void>> {
  const content = JSON.stringify({ process: process.pid, started: startOf(process.pid), nonce: Math.random() });
  const mine = `${path}.${process.pid}.${performance.now()}`;
  await writing(path, () => writeFile(mine, content));
  try {
    for (let attempt = 0; ; attempt++) {
      // a link appears with its content: no reader sees a lock half written
      const taken = await link(mine, path).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === "EEXIST") return false;
          throw diskError(error, path);
        },
      );
      if (taken) break;
      const holder = await readFile(path, "utf8").catch(() => undefined);
      if (holder === undefined) continue;
      if (attempt > 100 || isAlive(holder)) throw locked(path, holder);
      await removeStale(path, holder, mine);
    }
  } finally {
    await rm(mine, { force: true });
  }
  await sweep(path);
  return async () => {
    if ((await readFile(path, "utf8").catch(() => "")) === content) await rm(path, { force: true });
  };
}

/** Whether a living process holds the lock at `path`. */
export const isLocked = async (path: string): Promise<boolean> => {
  const holder = await readFile(path, "utf8").catch(() => undefined);
  return holder !== undefined && isAlive(holder);
};

const locked = (path: string, holder: string) =>
  fail(
    "run",
    `another process${numberOf(holder)} is working in this run folder`,
    "wait for it, stop it, or use another folder",
    path,
  );
const numberOf = (holder: string) => {
  const { process: id } = parse(holder);
  return id ? ` (${id})` : "";
};

/** Take a stale lock away; if another process was faster and it was a fresh one, put it back. */
async function removeStale(path: string, holder: string, mine: string): Promise<void> {
  const aside = `${mine}.stale`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, "utf8")) !== holder) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Remove what processes that were killed while they asked for this lock left behind. */
async function sweep(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    const id = name.match(/^lock\.(\d+)\./)?.[1];
    if (id && !isAlive(JSON.stringify({ process: Number(id) }))) await rm(join(dirname(path), name), { force: true });
  }
}

function isAlive(holder: string): boolean {
  const { process: id, started } = parse(holder);
  if (!id) return false;
  try {
    process.kill(id, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // a number is used again: the start time tells two processes of one number apart, where the system shows it
  return started === undefined || started === startOf(id);
}

function parse(holder: string): { process?: number; started?: string } {
  try {
    const { process: id, started } = JSON.parse(holder);
    return { ...(Number.isInteger(id) && { process: id }), ...(typeof started === "string" && { started }) };
  } catch {
    return {};
  }
}

/** When a process started, in the system's own clock; undefined where the system does not show it. */
function startOf(id: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "utf8");
    // the name in parentheses may hold anything; state is field 3, the start time field 22
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
