/** `plinth evaluate`: a trained model's scores on held-out data. */
import { evaluateOptions, evaluate as run } from "../jobs/index.js";
import { command } from "./command.js";

export const evaluate = command({
  options: evaluateOptions,
  positional: ["data"],
  examples: [
    { line: "npx plinth evaluate wordnet:categories --model runs/adapt", why: "a classifier, on the test part" },
    {
      line: "npx plinth evaluate wordnet:definitions --model runs/pretrain",
      why: "a language model: loss, perplexity, bits per byte",
    },
  ],
  async run(options, context) {
    const scores = await run(options);
    context.emit(scores);
    const width = Math.max(...Object.keys(scores).map((name) => name.length));
    context.print(
      Object.entries(scores)
        .map(([name, value]) => `${name.padEnd(width)}  ${Number(value.toPrecision(6))}`)
        .join("\n"),
    );
    return undefined;
  },
});
