/** `plinth generate`: a model writes on from prompts, or answers them. */
import { generateOptions, generateText, generateTexts } from "../jobs/index.js";
import { command } from "./command.js";
import { interruptedCode } from "./world.js";

/** One text comes out as it is written, several one after another; Ctrl-C ends them. */
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
    {
      line: 'npx plinth generate "Who wrote Faust?" --model models/chat --chat --system "Be brief." --stop "###"',
      why: "ask a model that was taught to answer",
    },
    {
      line: "npx plinth generate --data letters.jsonl --model models/chat --chat --json-schema address.json --json",
      why: "one JSON value of a schema for each text of a file",
    },
    {
      line: 'npx plinth generate "The capital of Peru is" --model models/chat --regex "[A-Z][a-z]+" --beams 4',
      why: "the likeliest word",
    },
  ],
  async run(options, context) {
    const signal = context.interruptible("the text ends here");
    const control = { signal, note: context.note };
    const { model, seed } = options;
    if (options.data.length || options.prompt.length > 1) {
      for await (const { index, ...written } of generateTexts(options, control)) {
        context.emit({ model, seed, index, ...written });
        const question = options.chat || options.system !== undefined ? `> ${written.prompt}\n` : written.prompt;
        context.print(`${question}${written.text}\n`);
      }
      return signal.aborted ? interruptedCode : undefined;
    }
    const [prompt = ""] = options.prompt;
    const pieces = generateText(options, control);
    // what is wrong is said first, so that nothing stands in front of it
    let shown = options.chat || options.system !== undefined;
    for (;;) {
      const { done, value } = await pieces.next();
      if (!shown) context.write(prompt);
      shown = true;
      if (!done) {
        context.write(value);
        continue;
      }
      context.print("");
      context.emit({ model, prompt, seed, ...value });
      const rate = (value.tokens / value.seconds).toFixed(0);
      if (context.verbose) context.note(`${value.tokens} tokens, ${rate} tokens/s, ended by ${value.ended}`);
      // nothing was saved that could go on
      return signal.aborted ? interruptedCode : undefined;
    }
  },
});
