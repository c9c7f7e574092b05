/** `plinth predict`: what an adapted model says of texts. */
import { predictOptions, predict as run } from "../jobs/index.js";
import { command } from "./command.js";

export const predict = command({
  options: predictOptions,
  positional: ["texts"],
  examples: [
    {
      line: 'npx plinth predict "a small bird that eats seeds" --model runs/adapt',
      why: "one text, its likeliest labels",
    },
    { line: "npx plinth predict --data new.csv --model runs/adapt --json", why: "a file, one JSON line a text" },
  ],
  async run(options, context) {
    for await (const prediction of run(options)) {
      context.emit(prediction);
      const labels = prediction.labels.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`);
      context.print(`${prediction.text}\n  ${labels.join("   ")}`);
    }
    return undefined;
  },
});
