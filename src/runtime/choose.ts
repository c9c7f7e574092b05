/** Which engine a run uses. */
import { fail } from "../ir/index.js";
import type { Engine } from "./engine.js";
import { native } from "./native/engine.js";
import { ort } from "./ort.js";
import { reference } from "./reference.js";

export const engines = { reference, ort, native } satisfies Record<string, Engine>;

/** What `auto` takes the first of that loads, the fastest first. */
const preferred: readonly Engine[] = [engines.native, engines.ort];

/** What `auto` means here, and why. Throws a PlinthError `engine` that says what to install where none loads. */
export async function automaticEngine(): Promise<{ readonly engine: Engine; readonly why: string }> {
  const absent: string[] = [];
  for (const engine of preferred) {
    const { available, why } = await engine.probe();
    if (available) return { engine, why: absent.join("; ") || "the fastest" };
    absent.push(`${engine.name}: ${why}`);
  }
  throw fail("engine", absent.join("; "));
}

/** The engine of that name, or the fastest that loads here. Throws a PlinthError `engine` that says what to install. */
export async function chooseEngine(name: "auto" | keyof typeof engines = "auto"): Promise<Engine> {
  if (name === "auto") return (await automaticEngine()).engine;
  const chosen = engines[name];
  if (!chosen)
    throw fail("engine", `no engine is called ${name}`, `engines are ${Object.keys(engines).join(", ")}, or auto`);
  const { available, why } = await chosen.probe();
  if (!available) throw fail("engine", why);
  return chosen;
}
