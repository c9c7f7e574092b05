/** Which engine a run uses. */
import { fail } from "../ir/index.js";
import type { Engine } from "./engine.js";
import { native } from "./native/engine.js";
import { ort } from "./ort.js";
import { reference } from "./reference.js";

export const engines = { reference, ort, native } satisfies Record<string, Engine>;

/** The engine of that name, or the fastest that loads here. Throws a PlinthError `engine` that says what to install. */
export async function chooseEngine(name: "auto" | keyof typeof engines = "auto"): Promise<Engine> {
  const chosen = engines[name === "auto" ? "ort" : name];
  if (!chosen)
    throw fail("engine", `no engine is called ${name}`, `engines are ${Object.keys(engines).join(", ")}, or auto`);
  const { available, why } = await chosen.probe();
  if (!available) throw fail("engine", why);
  return chosen;
}
