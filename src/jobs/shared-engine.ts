/** One session for many runs: what was compiled for one run is there for the next. */
import type { Engine, Session, SessionOptions, State } from "../runtime/index.js";

export interface SharedEngine extends AsyncDisposable {
  /** Opens the one session again, over another state. Runs follow one another; two at once would share weights. */
  readonly engine: Engine;
  readonly session: Session;
}

/** Open the session, over a first state. */
export async function shareEngine(engine: Engine, state: State, options: SessionOptions): Promise<SharedEngine> {
  const session = await engine.open(state, options);
  const lent: Session = {
    run: (program, feeds, options) => session.run(program, feeds, options),
    read: (name) => session.read(name),
    write: (name, value) => session.write(name, value),
    fill: (name, type, pieces) => session.fill(name, type, pieces),
    names: () => session.names(),
    // the lender closes it
    [Symbol.asyncDispose]: async () => {},
  };
  return {
    engine: {
      ...engine,
      async open(next) {
        for (const [name, value] of next) await session.write(name, value);
        return lent;
      },
    },
    session,
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
