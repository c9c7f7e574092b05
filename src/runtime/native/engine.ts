/** The native engine: plans carried out by compiled kernels on every core, off the event loop. */
import { availableParallelism, freemem } from "node:os";
import { arrayOf, fail, type Nd, type Program, size, type Type } from "../../ir/index.js";
import { checkData, checkFeeds, checkState, leaves } from "../check.js";
import type { Engine, RunOptions, Session, State } from "../engine.js";
import { type Addon, loadAddon, type NativeRun } from "./addon.js";
import { encode, type Numbering, type Plan, planOf } from "./plan.js";

interface Loaded {
  readonly id: number;
  readonly plan: Plan;
  readonly wanted: ReturnType<typeof leaves>;
}

export const native: Engine = {
  name: "native",
  summary: "compiled kernels on the CPU, fused and planned ahead",
  async probe() {
    const { addon, why } = loadAddon();
    return addon
      ? { available: true, why, version: `${addon.version()}, ${addon.features()}` }
      : { available: false, why };
  },
  async open(state, { threads = availableParallelism() } = {}) {
    const { addon, why } = loadAddon();
    if (!addon) throw fail("engine", `the native engine does not load: ${why}`, "use the ort engine");
    const session = new NativeSession(addon, threads);
    for (const [name, value] of state) await session.write(name, value);
    return session;
  },
};

/** One session of the addon, whose calls follow one another. */
class NativeSession implements Session {
  private readonly core: InstanceType<Addon["Session"]>;
  private readonly held = new Map<string, Type>();
  private readonly numbers = new Map<string, number>();
  private readonly programs = new WeakMap<Program, Loaded>();
  private readonly numbering: Numbering;
  /** The last call; the next waits for it. */
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(addon: Addon, threads: number) {
    this.core = new addon.Session(threads);
    const numbered = (what: string, names: readonly string[]) => (name: string) => {
      const found = names.indexOf(name);
      if (found >= 0) return found;
      throw fail("engine", `the native engine has no ${what} ${name}`, "build it again: npm run build");
    };
    const [kernel, op] = [numbered("kernel", addon.kernels()), numbered("instruction", addon.ops())];
    this.numbering = { kernel, op, state: (name) => this.number(name) };
  }

  run(program: Program, feeds: Readonly<Record<string, Nd>> = {}, options: RunOptions = {}) {
    return this.inTurn(() => this.runNow(program, feeds, options));
  }

  private async runNow(
    program: Program,
    feeds: Readonly<Record<string, Nd>>,
    { guarded = false, signal }: RunOptions,
  ): Promise<Record<string, Nd>> {
    const wanted = this.programs.get(program)?.wanted ?? leaves(program);
    checkFeeds(wanted.inputs, feeds);
    checkState(wanted.params, this.held);
    signal?.throwIfAborted();
    const { id, plan } = this.loaded(program, wanted);
    const given = plan.inputs.map(({ name }) => bytesOf(feeds[name]!));
    const cancel = () => this.core.cancel();
    signal?.addEventListener("abort", cancel);
    try {
      const { ended, outputs } = await this.core.run(id, given, guarded, false).catch(refused);
      if (ended === "cancelled") signal?.throwIfAborted();
      if (ended === "done") for (const [name, { type }] of Object.entries(program.next)) this.held.set(name, type);
      return Object.fromEntries(plan.outputs.map(({ name, type }, i) => [name, valueOf(type, outputs[i]!)]));
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** The plan of a program, made at its first run. */
  private loaded(program: Program, wanted: Loaded["wanted"]): Loaded {
    const known = this.programs.get(program);
    if (known) return known;
    const plan = planOf(program, this.numbering.op);
    // a value that the program makes has its memory before it runs
    for (const [name, { type }] of Object.entries(program.next)) if (!this.held.has(name)) this.reserve(name, type);
    const { words, constants } = encode(plan, this.numbering);
    const { id, bytes } = this.core.load(words, constants);
    requireMemory(bytes);
    const loaded = { id, plan, wanted };
    this.programs.set(program, loaded);
    return loaded;
  }

  private reserve(name: string, type: Type): void {
    this.core.write(this.number(name), bytesOf({ ...type, data: arrayOf(type.dtype, size(type.shape)) }));
  }

  read(name: string): Promise<Nd> {
    return this.inTurn(() => {
      const type = this.held.get(name);
      if (!type) throw fail("feed", `the state has no ${name}`);
      return valueOf(type, this.core.read(this.number(name)));
    });
  }

  write(name: string, value: Nd): Promise<void> {
    checkData(name, value);
    return this.inTurn(() => {
      this.core.write(this.number(name), bytesOf(value));
      this.held.set(name, { dtype: value.dtype, shape: value.shape });
    });
  }

  names = (): readonly string[] => [...this.held.keys()];

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    await this.inTurn(() => this.core.close());
    this.closed = true;
  }

  private number(name: string): number {
    const found = this.numbers.get(name) ?? this.numbers.size;
    this.numbers.set(name, found);
    return found;
  }

  private inTurn<T>(call: () => T | Promise<T>): Promise<T> {
    const turn = this.last.then(() => {
      if (this.closed) throw fail("engine", "the session is closed");
      return call();
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }
}

const refused = (e: unknown): NativeRun => {
  throw fail("engine", e instanceof Error ? e.message : String(e));
};

/** Throws `memory` before anything is allocated. */
function requireMemory(bytes: number): void {
  const free = process.availableMemory?.() ?? freemem();
  if (bytes <= free) return;
  const megabytes = (n: number) => `${Math.ceil(n / 1e6).toLocaleString("en")} MB`;
  throw fail(
    "memory",
    `a run of this program needs ${megabytes(bytes)} beside its state, and ${megabytes(free)} are free`,
    "use smaller batches or a shorter context",
  );
}

const bytesOf = ({ data }: Nd): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function valueOf({ dtype, shape }: Type, { buffer, byteOffset }: Uint8Array): Nd {
  return { dtype, shape, data: arrayOf(dtype, size(shape), buffer, byteOffset) };
}
