/** The engines that run on this machine: the native one is not built everywhere. */
import { type Engine, engines } from "../src/runtime/index.js";

export const present: [string, Engine][] = [];
for (const [name, engine] of Object.entries(engines)) {
  if ((await engine.probe()).available) present.push([name, engine]);
}
