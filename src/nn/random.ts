/** Random numbers as a function of (seed, name, index): no state, so nothing drawn moves anything else. */
import { mix } from "../ops/index.js";

const golden = 0x9e3779b9;

/** 32 bits from a name (FNV-1a): the number of a parameter's or a dropout's own stream. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The numbers of one stream, one after another: uniform on [0, 1), multiples of 2⁻³². */
export function randomStream(seed: number, name: string): () => number {
  const key = mix(seed ^ mix(streamOf(name)));
  let index = 0;
  return () => mix((Math.imul(index++, golden) + key) | 0) / 2 ** 32;
}
