/** The reference engine: float64, one op at a time, in this thread. Slow and exact: the oracle for every other. */
import { type Dtype, type Exact, evaluate, exact, fail, type Nd, nd, roots } from "../ir/index.js";
import { checkData, checkFeeds, checkState, isSound, leaves } from "./check.js";
import type { Engine, Session, State } from "./engine.js";
import { assembled } from "./fill.js";

/** A value of the state: numbers of its type, as float64. */
interface Held extends Exact {
  readonly dtype: Dtype;
}

const open = async (state: State): Promise<Session> => {
  const held = new Map<string, Held>();
  let closed = false;
  const alive = () => {
    if (closed) throw fail("engine", "the session is closed");
  };
  const write = async (name: string, value: Nd): Promise<void> => {
    alive();
    checkData(name, value);
    held.set(name, { ...exact(value), dtype: value.dtype });
  };
  for (const [name, value] of state) await write(name, value);
  return {
    async run(program, feeds = {}, { guarded = false, signal } = {}) {
      alive();
      signal?.throwIfAborted();
      const wanted = leaves(program);
      checkFeeds(wanted.inputs, feeds);
      checkState(wanted.params, held);
      const values = new Map<string, Exact>(held);
      for (const [name, value] of Object.entries(feeds)) values.set(name, exact(value));
      const results = evaluate(roots(program), values);
      const outputs = Object.entries(program.outputs).map(
        ([name, t], i) => [name, host(t.dtype, results[i]!)] as const,
      );
      const given = Object.fromEntries(outputs);
      if (guarded && !isSound(given)) return given;
      Object.entries(program.next).forEach(([name, t], i) => {
        // rounded to its type, as every other engine and every checkpoint holds it
        held.set(name, { ...exact(host(t.dtype, results[outputs.length + i]!)), dtype: t.dtype });
      });
      return given;
    },
    async read(name) {
      alive();
      const value = held.get(name);
      if (!value) throw fail("feed", `the state has no ${name}`);
      return host(value.dtype, value);
    },
    write,
    fill: async (name, type, pieces) => write(name, await assembled(name, type, pieces)),
    names: () => [...held.keys()],
    async [Symbol.asyncDispose]() {
      closed = true;
      held.clear();
    },
  };
};

const host = (dtype: Dtype, x: Exact): Nd => nd(dtype, x.shape, x.data);

export const reference: Engine = {
  name: "reference",
  summary: "float64, in this thread: slow and exact",
  probe: async () => ({ available: true, why: "part of plinth" }),
  open,
};
