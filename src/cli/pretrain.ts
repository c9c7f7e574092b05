/** `plinth pretrain`: text in, a language model out. */
import { join } from "node:path";
import { pretrain as job, pretrainOptions } from "../jobs/index.js";
import { command } from "./command.js";
import { follow } from "./terminal.js";

/** Shows the run as it goes; Ctrl-C saves it. */
export const pretrain = command({
  options: pretrainOptions,
  positional: ["data"],
  examples: [
    {
      line: "npx plinth pretrain wordnet:definitions --preset gpt-1m --minutes 1 --out runs/first --replace",
      why: "a small GPT in a minute, on text that travels with plinth; your own files work the same",
    },
    {
      line: "npx plinth pretrain wordnet:definitions --family bert --size 1e6 --steps 200 --out runs/masked --replace",
      why: "the same with a BERT, of about a million parameters",
    },
  ],
  async run(options, context) {
    const signal = context.interruptible();
    const run = job(options, { signal, note: context.note });
    const code = await follow(run, context, { label: "pretrain", threads: options.threads });
    if (code === undefined) context.print(`the model is in ${join(options.out, "model")}`);
    return code;
  },
});
