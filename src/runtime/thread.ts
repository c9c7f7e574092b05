/** Questions to a worker thread and its answers: each is a promise, and all fail when the thread dies. */
import { Worker } from "node:worker_threads";
import { arrayOf, fail, type Nd } from "../ir/index.js";
import type { Message, Reply } from "./ort-protocol.js";

export interface Thread {
  /** Ask; arrays in `transfer` are moved to the thread and not copied. Throws a PlinthError `engine` on failure. */
  ask(message: Message, transfer?: readonly ArrayBufferLike[]): Promise<unknown>;
  close(): Promise<void>;
}
interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Start the worker of the ort engine. `module`: the package that it loads. */
export function startThread(module: string): Thread {
  const worker = new Worker(new URL("./ort-worker.js", import.meta.url), { workerData: { module } });
  const waiting = new Map<number, Waiting>();
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  let tickets = 0;
  let dead: Error | undefined;
  // an idle session does not keep the process alive; a question does
  worker.unref();
  const settle = (ticket: number): Waiting | undefined => {
    const found = waiting.get(ticket);
    waiting.delete(ticket);
    if (!waiting.size) worker.unref();
    return found;
  };
  const die = (why: string) => {
    dead ??= fail("engine", `the engine's thread stopped: ${why}`, "its state is lost: open a session again");
    for (const ticket of [...waiting.keys()]) settle(ticket)?.reject(dead);
  };
  worker.on("message", ({ ticket, value, error }: Reply) => {
    const found = settle(ticket);
    if (error === undefined) found?.resolve(value);
    else found?.reject(fail("engine", error));
  });
  worker.on("error", (e) => die(e instanceof Error ? e.message : String(e)));
  worker.on("exit", (code) => die(`exit code ${code}`));

  const ask: Thread["ask"] = (message, transfer = []) =>
    new Promise((resolve, reject) => {
      if (dead) return reject(dead);
      const ticket = tickets++;
      waiting.set(ticket, { resolve, reject });
      worker.ref();
      worker.postMessage({ ...message, ticket }, transfer as ArrayBuffer[]);
    });
  return {
    ask,
    async close() {
      if (dead) return;
      await ask({ kind: "close" });
      dead = fail("engine", "the session is closed");
      worker.ref();
      await exited;
    },
  };
}

/** A copy of host data in memory of its own, ready to be moved to a thread. */
export function detached(x: Nd): Nd {
  const data = arrayOf(x.dtype, x.data.length);
  (data as Float32Array).set(x.data as Float32Array);
  return { dtype: x.dtype, shape: x.shape, data };
}
