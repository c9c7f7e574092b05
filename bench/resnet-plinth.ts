/** One side of the ResNet benchmark: a training step of ResNet-18 by plinth; batch, steps, threads and engine as arguments, times as JSON. */
import { nd } from "../src/ir/index.js";
import { randomStream } from "../src/nn/index.js";
import { chooseEngine } from "../src/runtime/index.js";
import { resnetStep } from "./nets/resnet.js";

const [batch = "64", steps = "8", threads = "2", engine = "ort"] = process.argv.slice(2);
const N = Number(batch);
const { program, state } = resnetStep(N);
const random = randomStream(1, "images");
const data = {
  learningRate: nd("f32", [], 0.05),
  images: nd(
    "f32",
    [N, 3, 32, 32],
    Array.from({ length: N * 3 * 32 * 32 }, () => (random() - 0.5) * Math.sqrt(12)),
  ),
  labels: nd(
    "i32",
    [N],
    Array.from({ length: N }, () => Math.floor(random() * 10)),
  ),
};
await using session = await (await chooseEngine(engine as "ort")).open(state, { threads: Number(threads) });
const times: number[] = [];
const losses: number[] = [];
for (let i = 0; i < Number(steps); i++) {
  const start = performance.now();
  const outputs = await session.run(program, data);
  times.push(performance.now() - start);
  losses.push(outputs["loss"]!.data[0] as number);
}
// the reference leaves out its first two steps as well
const warm = times.slice(2).sort((a, b) => a - b);
console.log(
  JSON.stringify({
    median: warm[warm.length >> 1],
    fastest: warm[0],
    loss: losses.at(-1),
    losses,
    memoryMB: Math.round(process.memoryUsage().rss / 1e6),
  }),
);
