/** What an engine is: it opens sessions, which run programs over one state of named values. */
import type { Nd, Program, Type } from "../ir/index.js";
import type { Profile } from "./profile.js";

/** Parameters and optimiser state by name: the names in the graph, in checkpoints and here are the same strings. */
export type State = ReadonlyMap<string, Nd>;

/** Several programs over one state. Calls are carried out in the order they are made. */
export interface Session extends AsyncDisposable {
  /**
   * Run a program once: its outputs, by name; the state takes what `next` says, all of it or, on an error, none.
   * A program is compiled at its first run. Throws a PlinthError `feed` that names what is missing, unknown or of
   * the wrong type, before anything runs.
   */
  run(
    program: Program,
    feeds?: Readonly<Record<string, Nd>>,
    options?: RunOptions,
  ): Promise<Readonly<Record<string, Nd>>>;
  /**
   * Run a program `runs` times (default 5) after once unmeasured, and say what it spent its time and memory on; absent where an
   * engine cannot tell. The state takes what `next` says at each run, as it does in `run`: a training step trains.
   */
  profile?(
    program: Program,
    feeds: Readonly<Record<string, Nd>>,
    options?: { readonly runs?: number },
  ): Promise<Profile>;
  /** A copy of one value of the state. */
  read(name: string): Promise<Nd>;
  /** Replace one value of the state, or add one. */
  write(name: string, value: Nd): Promise<void>;
  /**
   * Replace or add one value that comes in pieces along its first axis, in order (two may overlap); each may change once the next
   * is asked for. No second copy of the value is made where an engine can do without. Throws `feed` for a piece of another type.
   */
  fill(name: string, type: Type, pieces: Pieces): Promise<void>;
  /** What the state holds now. */
  names(): readonly string[];
}

/** Rows from one on, along the first axis. */
export type Pieces = AsyncIterable<{ readonly at: number; readonly value: Nd }>;

export interface RunOptions {
  /** Leave the state as it was where an output that is one f32 number is not finite. */
  readonly guarded?: boolean;
  /** Ends the run, with the signal's reason as its error, before the state is written; engines that cannot stop half-way look at it first. */
  readonly signal?: AbortSignal;
}

export interface Engine {
  readonly name: string;
  readonly summary: string;
  /** Whether the engine runs here, and if not, what to do about it. */
  probe(): Promise<Probe>;
  /** Bytes that a run of the program takes beside the state, for an engine that plans them. */
  held?(program: Program, options?: SessionOptions): number;
  /** Start a session over a copy of `state`. */
  open(state: State, options?: SessionOptions): Promise<Session>;
}
export interface SessionOptions {
  /** How many threads the engine computes with, by default one per core. */
  readonly threads?: number | undefined;
  /**
   * Most bytes that a program's values may take beside the state: values of the forward pass are computed again until what is kept
   * fits. Only the native engine plans its memory; the others take what they need.
   */
  readonly memory?: number | undefined;
}
export interface Probe {
  readonly available: boolean;
  readonly why: string;
  readonly version?: string;
}
