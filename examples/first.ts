import { adapt, predict, pretrain } from "plinth";

// A foundation model is trained once, on broad text: here a very small one, for a few seconds.
const gpt = { data: ["wordnet:definitions"], preset: "gpt-0.3m", vocabSize: 2048, steps: 30, out: "runs/first/gpt" };
for await (const event of pretrain({ ...gpt, replace: true }))
  if (event.type === "score") console.log(`step ${event.step}: loss ${event.scores["loss"]?.toFixed(2)}`);

// Then it is adapted to a task with few labels: here the one that travels with plinth, to 26 categories.
const out = "runs/first/categories";
for await (const event of adapt({
  data: ["wordnet:categories"],
  examples: 128,
  overflow: "truncate",
  out,
  replace: true,
}))
  if (event.type === "score") console.log(`step ${event.step}: accuracy ${event.scores["accuracy"]?.toFixed(2)}`);

for await (const { text, labels } of predict({ texts: ["a large wild cat"], model: out }))
  console.log(text, "is", labels[0]?.label);
