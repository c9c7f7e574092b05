/** The ort engine: ONNX Runtime on the CPU, in a worker thread, so that the event loop never waits for a step. */
import { fail, type Nd, type PlinthError, type Program, show, type Type } from "../ir/index.js";
import { type Emitted, emit, speaks } from "../onnx/index.js";
import { prepare } from "../passes/index.js";
import { checkData, checkFeeds, checkState, leaves } from "./check.js";
import type { Engine, Probe, Session, State } from "./engine.js";
import { assembled } from "./fill.js";
import type { Loaded } from "./ort-protocol.js";
import { detached, startThread, type Thread } from "./thread.js";

interface Compiled {
  readonly id: number;
  readonly wanted: ReturnType<typeof leaves>;
  /** Inputs that are left after folding: a program may not need all it names. */
  readonly used: readonly string[];
  /** Rejects where the engine refuses the model. */
  readonly ready: Promise<unknown>;
}
export interface OrtOptions {
  /** The package to load, by default onnxruntime-node. */
  readonly module?: string;
  /** Whether programs use ONNX Runtime's own operators (com.microsoft): faster, the same numbers. */
  readonly contrib?: boolean;
}

/** An engine on ONNX Runtime. */
export function ortEngine({ module = "onnxruntime-node", contrib = true }: OrtOptions = {}): Engine {
  return {
    name: "ort",
    summary: "ONNX Runtime on the CPU, in a worker thread",
    async probe(): Promise<Probe> {
      const thread = startThread(module);
      try {
        return { available: true, why: "loaded", version: `${await load(thread, module)}` };
      } catch (e) {
        return { available: false, why: (e as Error).message };
      } finally {
        await thread.close().catch(() => {});
      }
    },
    async open(state, { threads } = {}) {
      const thread = startThread(module);
      try {
        await load(thread, module);
        return await session(thread, state, { contrib, threads });
      } catch (e) {
        await thread.close().catch(() => {});
        throw e;
      }
    },
  };
}
/** ONNX Runtime from the package that plinth depends on. */
export const ort: Engine = ortEngine();

const load = (thread: Thread, module: string): Promise<unknown> =>
  thread.ask({ kind: "start" }).catch((e: PlinthError) => {
    throw fail(
      "engine",
      `${module} does not load on ${process.platform} ${process.arch}, Node ${process.versions.node}: ${e.what}`,
      `run \`npm install ${module}\`; without it, the reference engine still works, slowly`,
    );
  });

async function session(
  thread: Thread,
  state: State,
  { contrib, threads }: { contrib: boolean; threads: number | undefined },
): Promise<Session> {
  const held = new Map<string, Type>();
  const programs = new WeakMap<Program, Compiled>();
  let count = 0;

  const compile = (program: Program): Compiled => {
    const known = programs.get(program);
    if (known) return known;
    const emitted = emit(prepare(program, speaks), { contrib });
    const id = count++;
    const ready = thread.ask({ kind: "load", id, load: loaded(program, emitted), threads }, [emitted.bytes.buffer]);
    ready.catch(() => {});
    const compiled = { id, wanted: leaves(program), used: Object.keys(emitted.inputs), ready };
    programs.set(program, compiled);
    return compiled;
  };
  const write = async (name: string, value: Nd): Promise<void> => {
    checkData(name, value);
    await give(name, detached(value));
  };
  /** Without a copy: the array is moved to the thread. */
  const give = async (name: string, value: Nd): Promise<void> => {
    checkSpoken(name, value);
    held.set(name, { dtype: value.dtype, shape: value.shape });
    await thread.ask({ kind: "write", name, value }, [value.data.buffer]);
  };
  for (const [name, value] of state) await write(name, value);

  return {
    async run(program, feeds = {}, { guarded = false, signal } = {}) {
      signal?.throwIfAborted();
      const { id, wanted, used, ready } = compile(program);
      checkFeeds(wanted.inputs, feeds);
      checkState(wanted.params, held);
      for (const [name, t] of Object.entries(program.next)) held.set(name, t.type);
      const sent = Object.fromEntries(used.map((name) => [name, detached(feeds[name]!)]));
      const reply = thread.ask(
        { kind: "run", id, feeds: sent, guarded },
        Object.values(sent).map((x) => x.data.buffer),
      );
      reply.catch(() => {});
      await ready;
      return (await reply) as Record<string, Nd>;
    },
    async read(name) {
      const type = held.get(name);
      if (!type) throw fail("feed", `the state has no ${name}`);
      return (await thread.ask({ kind: "read", name, dtype: type.dtype })) as Nd;
    },
    write,
    fill: async (name, type, pieces) => give(name, await assembled(name, type, pieces)),
    names: () => [...held.keys()],
    [Symbol.asyncDispose]: () => thread.close(),
  };
}

/** ONNX Runtime has no bfloat16 arrays in Node. */
const checkSpoken = (name: string, value: Nd): void => {
  if (value.dtype === "bf16")
    throw fail("engine", `the ort engine holds no bf16 values: ${name} is ${show(value)}`, "convert it to f32");
};

function loaded(program: Program, emitted: Emitted & { readonly bytes: Uint8Array }): Loaded {
  const results = (names: Readonly<Record<string, string>>, values: Program["outputs"]) =>
    Object.entries(values).map(([name, t]) => ({ name, result: names[name]!, type: t.type }));
  return {
    bytes: emitted.bytes,
    params: Object.keys(emitted.params),
    outputs: results(emitted.outputs, program.outputs),
    next: results(emitted.next, program.next),
  };
}
