/** `plinth fill`: the likeliest words for the gaps of a text. */
import { fillOptions, fill as run } from "../jobs/index.js";
import { command } from "./command.js";

export const fill = command({
  options: fillOptions,
  positional: ["texts"],
  examples: [
    {
      line: 'npx plinth fill "a small [MASK] that eats seeds" --model runs/first',
      why: "the likeliest pieces of a word, with a masked model that was pre-trained here",
    },
    { line: "npx plinth fill --data gaps.txt --model models/bert --top 1 --json", why: "a file, one JSON line a text" },
  ],
  async run(options, context) {
    for await (const filled of run(options)) {
      context.emit(filled);
      const lines = filled.gaps.map((gap) =>
        gap.map(({ piece, probability }) => `${piece.trim()} ${(100 * probability).toFixed(1)} %`).join("   "),
      );
      context.print([filled.text, ...lines.map((line) => `  ${line}`)].join("\n"));
    }
    return undefined;
  },
});
