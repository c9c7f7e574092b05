/** A value of a session's state that comes in pieces, so that no second copy of it is ever whole. */
import {
  arrayOf,
  fail,
  i32,
  input,
  type Nd,
  nd,
  type Program,
  param,
  sameShape,
  size,
  type Type,
} from "../ir/index.js";
import { writeAt } from "../ops/index.js";
import type { Pieces, Session } from "./engine.js";

/** Host data of its own, from pieces. Throws `feed` for a piece of another type. */
export async function assembled(name: string, type: Type, pieces: Pieces): Promise<Nd> {
  const data = arrayOf(type.dtype, size(type.shape)) as Float32Array;
  const row = size(type.shape.slice(1));
  for await (const { at, value } of pieces) {
    requireFits(name, type, value);
    data.set(value.data as Float32Array, at * row);
  }
  return { ...type, data };
}

/** Replace or add one value of the state, from pieces along its first axis. Throws `feed` for a piece of another type. */
export async function fillSession(session: Session, name: string, type: Type, pieces: Pieces): Promise<void> {
  if (session.fill) return session.fill(name, type, pieces);
  // a parameter of a program is f32
  if (type.dtype !== "f32") return session.write(name, await assembled(name, type, pieces));
  const programs = new Map<string, Program>();
  let begun = false;
  for await (const { at, value } of pieces) {
    requireFits(name, type, value);
    if (sameShape(value.shape, type.shape)) return session.write(name, value);
    // zeros take no memory until they are written to, and only the session's copy of them is
    if (!begun) await session.write(name, { ...type, data: arrayOf(type.dtype, size(type.shape)) });
    begun = true;
    const key = String(value.shape[0]);
    const program = programs.get(key) ?? writing(name, type, value);
    programs.set(key, program);
    await session.run(program, { at: nd("i32", [], at), rows: value });
  }
}

/** Rows fed, in the place of those that a value of the state has from `at` on. */
function writing(name: string, type: Type, { dtype, shape }: Type): Program {
  const never = () => {
    throw fail("internal", `${name} is in the state`);
  };
  const rows = writeAt(param(name, type.shape, never), input("at", i32([])), input("rows", { dtype, shape }), {
    axis: 0,
  });
  return { outputs: {}, next: { [name]: rows } };
}

function requireFits(name: string, type: Type, value: Nd): void {
  const fits = value.dtype === type.dtype && sameShape(value.shape.slice(1), type.shape.slice(1));
  if (!fits || value.shape.length !== type.shape.length)
    throw fail("feed", `a piece of ${name} is ${value.dtype}[${value.shape}], the whole ${type.dtype}[${type.shape}]`);
}
