/** `plinth generate`: a model writes on from a prompt. */
import { generateOptions, generateText } from "../jobs/index.js";
import { command } from "./command.js";
import { interruptedCode } from "./world.js";

/** Text comes out as it is written; Ctrl-C ends it. */
export const generate = command({
  options: generateOptions,
  positional: ["prompt"],
  examples: [
    {
      line: 'npx plinth generate "a large animal that" --model runs/first --tokens 40',
      why: "let a model that was pre-trained here go on with a text",
    },
    {
      line: 'npx plinth generate --model runs/first --prompt "a kind of" --temperature 0 --json',
      why: "the likeliest text, for a program",
    },
  ],
  async run(options, context) {
    const signal = context.interruptible("the text ends here");
    context.write(options.prompt);
    const pieces = generateText(options, { signal });
    for (;;) {
      const { done, value } = await pieces.next();
      if (!done) {
        context.write(value);
        continue;
      }
      context.print("");
      const { model, prompt, seed } = options;
      context.emit({ model, prompt, seed, ...value });
      const rate = (value.tokens / value.seconds).toFixed(0);
      if (context.verbose) context.note(`${value.tokens} tokens, ${rate} tokens/s, ended by ${value.ended}`);
      // nothing was saved that could go on
      return signal.aborted ? interruptedCode : undefined;
    }
  },
});
