/** One side of bench/step: a work's training step by plinth; work, engine, steps and threads as arguments, one line of JSON. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { inputs, nameOf, nd } from "../../src/ir/index.js";
import { engines } from "../../src/runtime/index.js";
import { works } from "./works.js";

const [work = "gpt-12m", engine = "native", steps = "12", threads = "2"] = process.argv.slice(2);
const { net, memory } = works[work]!;
const { program, state, data } = net();
await using session = await engines[engine as keyof typeof engines].open(new Map(), {
  threads: Number(threads),
  memory,
});
// handed over one by one, and what was handed over collected, so that what is measured holds the state once
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
let handedOver = 0;
for (const name of [...state.keys()]) {
  await session.write(name, state.get(name)!);
  handedOver += state.get(name)!.data.byteLength;
  (state as Map<string, unknown>).delete(name);
  if (handedOver > 1e8) {
    collect();
    handedOver = 0;
  }
}
// plain SGD asks for no count of steps
const counts = inputs(program).some((t) => nameOf(t) === "step");
const times: number[] = [];
let loss = Number.NaN;
for (let step = 1; step <= Number(steps); step++) {
  const start = performance.now();
  const outputs = await session.run(program, { ...data, ...(counts ? { step: nd("f32", [], step) } : {}) });
  times.push(performance.now() - start);
  loss = outputs["loss"]!.data[0] as number;
}
// the references leave out their first two steps as well
const warm = times.slice(2).sort((a, b) => a - b);
console.log(
  JSON.stringify({
    median: warm[warm.length >> 1],
    fastest: warm[0],
    memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
    loss,
  }),
);
