/** The native engine: plans carried out by compiled kernels on every core, off the event loop. */
import { availableParallelism, freemem } from "node:os";
import { arrayOf, fail, type Nd, PlinthError, type Program, size, type Tensor, type Type } from "../../ir/index.js";
import { checkData, checkFeeds, checkState, leaves } from "../check.js";
import type { Engine, Pieces, RunOptions, Session, SessionOptions } from "../engine.js";
import { requireFits } from "../fill.js";
import type { Profile } from "../profile.js";
import { type Addon, loadAddon, type NativeRun } from "./addon.js";
import { bytesOfView } from "./memory.js";
import { encode, type Numbering, type Plan, type PlanOptions, planOf } from "./plan.js";
import { instructionsOf, median, memoryOf } from "./profile.js";

interface CompiledPlan {
  readonly plan: Plan;
  readonly wanted: ReturnType<typeof leaves>;
  readonly next: readonly (readonly [string, Tensor])[];
  /** The addon's number of it, from its first run on. */
  id?: number;
}

/** An engine on the addon; `fused: false` runs each op by itself, to compare with. */
export function nativeEngine(options: PlanOptions = { fused: true }): Engine {
  const plans = new Plans();
  const optionsOf = ({ memory = options.memory }: SessionOptions): PlanOptions => ({
    ...options,
    ...(memory !== undefined && { memory }),
  });
  return {
    name: "native",
    summary: "compiled kernels on the CPU, fused and planned ahead",
    async probe() {
      const { addon, why } = loadAddon();
      if (!addon) return { available: false, why };
      return { available: true, why, version: `${addon.version()}, ${addon.features()}` };
    },
    held: (program, session = {}) => plans.of(program, numberingOf(found()).op, optionsOf(session)).arena.bytes,
    async open(state, session = {}) {
      const planned = (program: Program, op: Numbering["op"]) => plans.of(program, op, optionsOf(session));
      const opened = new NativeSession(found(), session.threads ?? availableParallelism(), planned);
      for (const [name, value] of state) await opened.write(name, value);
      return opened;
    },
  };
}

/** Plans that were made: a program is planned once for each limit of memory. */
class Plans {
  private readonly known = new WeakMap<Program, Map<number | undefined, Plan>>();
  of(program: Program, op: Numbering["op"], options: PlanOptions): Plan {
    const plans = this.known.get(program) ?? new Map<number | undefined, Plan>();
    this.known.set(program, plans);
    const plan = plans.get(options.memory) ?? planOf(program, op, options);
    plans.set(options.memory, plan);
    return plan;
  }
}

/** Throws `engine` where there is none. */
function found(): Addon {
  const { addon, why } = loadAddon();
  if (!addon) throw fail("engine", `the native engine does not load: ${why}`, "use the ort engine");
  return addon;
}

function numberingOf(addon: Addon): Omit<Numbering, "state"> {
  const numbered = (what: string, names: readonly string[]) => {
    const numbers = new Map(names.map((name, i) => [name, i]));
    return (name: string): number => {
      const number = numbers.get(name);
      if (number !== undefined) return number;
      throw fail("engine", `the native engine has no ${what} ${name}`, "build it again: npm run build");
    };
  };
  return { kernel: numbered("kernel", addon.kernels()), op: numbered("instruction", addon.ops()) };
}

/** The addon that was built here or installed. */
export const native: Engine = nativeEngine();

/** One session of the addon, whose calls follow one another. */
class NativeSession implements Session {
  private readonly core: InstanceType<Addon["Session"]>;
  private readonly held = new Map<string, Type>();
  private readonly numbers = new Map<string, number>();
  /** Bytes that each value of the state has in the addon. */
  private readonly rooms = new Map<string, number>();
  private readonly programs = new WeakMap<Program, CompiledPlan>();
  private readonly numbering: Numbering;
  /** The last call; the next waits for it. */
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private closed = false;

  constructor(
    addon: Addon,
    threads: number,
    private readonly planned: (program: Program, op: Numbering["op"]) => Plan,
  ) {
    this.core = new addon.Session(threads);
    this.numbering = { ...numberingOf(addon), state: (name) => this.number(name) };
  }

  // what a call needs is taken when it is made, and its work is done in its turn
  async run(program: Program, feeds: Readonly<Record<string, Nd>> = {}, options: RunOptions = {}) {
    this.requireOpen();
    options.signal?.throwIfAborted();
    const { compiled, given } = this.taken(program, feeds);
    return this.inTurn(() => this.carryOut(compiled, given, options));
  }

  private taken(program: Program, feeds: Readonly<Record<string, Nd>>) {
    const compiled = this.compiled(program);
    checkFeeds(compiled.wanted.inputs, feeds);
    checkState(compiled.wanted.params, this.held);
    for (const [name, { type }] of Object.entries(program.next)) this.held.set(name, type);
    const given = compiled.plan.inputs.map(({ name }) => bytesOf(feeds[name]!).slice());
    return { compiled, given };
  }

  async profile(program: Program, feeds: Readonly<Record<string, Nd>>, { runs = 5 } = {}): Promise<Profile> {
    this.requireOpen();
    const { compiled, given } = this.taken(program, feeds);
    const stateBytes = [...this.held.values()].reduce((sum, t) => sum + bytesOfView(t.dtype, t.shape), 0);
    return this.inTurn(async () => {
      this.makeRoom(compiled);
      compiled.id ??= this.load(compiled);
      const times: (readonly number[])[] = [];
      const milliseconds: number[] = [];
      // the first run finds cold caches, and pages that are not there yet
      for (let i = 0; i <= runs; i++) {
        const start = performance.now();
        const { nanoseconds } = await this.core.run(compiled.id, given, false, true).catch(refused);
        if (i === 0) continue;
        milliseconds.push(performance.now() - start);
        times.push(nanoseconds);
      }
      const { plan } = compiled;
      return {
        milliseconds: median(milliseconds),
        instructions: instructionsOf(plan, times),
        memory: { stateBytes, ...memoryOf(plan) },
      };
    });
  }

  private async carryOut(
    compiled: CompiledPlan,
    given: readonly Uint8Array[],
    { guarded = false, signal }: RunOptions,
  ): Promise<Record<string, Nd>> {
    this.makeRoom(compiled);
    compiled.id ??= this.load(compiled);
    const cancel = () => this.core.cancel();
    signal?.addEventListener("abort", cancel);
    try {
      signal?.throwIfAborted();
      const { ended, outputs } = await this.core.run(compiled.id, given, guarded, false).catch(refused);
      if (ended === "cancelled") signal?.throwIfAborted();
      return Object.fromEntries(compiled.plan.outputs.map(({ name, type }, i) => [name, valueOf(type, outputs[i]!)]));
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  private compiled(program: Program): CompiledPlan {
    const known = this.programs.get(program);
    if (known) return known;
    const plan = this.planned(program, this.numbering.op);
    const compiled = { plan, wanted: leaves(program), next: Object.entries(program.next) };
    this.programs.set(program, compiled);
    return compiled;
  }

  /** Make room for what the program adds to the state, or leaves there in another size. */
  private makeRoom({ next }: CompiledPlan): void {
    for (const [name, { type }] of next) {
      const bytes = bytesOfView(type.dtype, type.shape);
      if (this.rooms.get(name) !== bytes) this.put(name, new Uint8Array(bytes));
    }
  }

  private put(name: string, bytes: Uint8Array): void {
    this.core.write(this.number(name), bytes);
    this.rooms.set(name, bytes.byteLength);
  }

  /** Hand over the plan. */
  private load({ plan }: CompiledPlan): number {
    const { words, constants } = encode(plan, this.numbering);
    try {
      const { id, bytes } = this.core.load(words, constants);
      requireMemory(bytes);
      return id;
    } catch (e) {
      throw e instanceof PlinthError
        ? e
        : fail("internal", `the native engine refuses a plan: ${(e as Error).message}`);
    }
  }

  async read(name: string): Promise<Nd> {
    this.requireOpen();
    const type = this.held.get(name);
    if (!type) throw fail("feed", `the state has no ${name}`);
    return this.inTurn(() => valueOf(type, this.core.read(this.number(name))));
  }

  async write(name: string, value: Nd): Promise<void> {
    this.requireOpen();
    checkData(name, value);
    this.held.set(name, { dtype: value.dtype, shape: value.shape });
    // with nothing to wait for, the addon's copy is the only one
    if (!this.waiting) return this.put(name, bytesOf(value));
    const bytes = bytesOf(value).slice();
    return this.inTurn(() => this.put(name, bytes));
  }

  fill(name: string, type: Type, pieces: Pieces): Promise<void> {
    this.requireOpen();
    this.held.set(name, type);
    const total = bytesOfView(type.dtype, type.shape);
    const row = bytesOfView(type.dtype, type.shape.slice(1));
    return this.inTurn(async () => {
      this.rooms.set(name, total);
      for await (const { at, value } of pieces) {
        requireFits(name, type, value);
        this.core.fill(this.number(name), total, at * row, bytesOf(value));
      }
    });
  }

  names = (): readonly string[] => [...this.held.keys()];

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.inTurn(() => this.core.close());
  }

  private requireOpen(): void {
    if (this.closed) throw fail("engine", "the session is closed");
  }

  private number(name: string): number {
    const found = this.numbers.get(name) ?? this.numbers.size;
    this.numbers.set(name, found);
    return found;
  }

  private inTurn<T>(call: () => T | Promise<T>): Promise<T> {
    this.waiting++;
    const turn = this.last.then(call).finally(() => this.waiting--);
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
