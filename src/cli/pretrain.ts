/** `plinth pretrain`: text in, a language model out. */
import { join } from "node:path";
import { pretrainOptions, pretrain as run } from "../jobs/index.js";
import { command } from "./command.js";
import { machinePeak } from "./machine-peak.js";
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
      line: "npx plinth pretrain wordnet:definitions --family bert --preset bert-tiny --minutes 60 --out runs/bert",
      why: "a BERT that fills in masked words, to adapt later",
    },
  ],
  async run(options, context) {
    const signal = context.interruptible();
    const peakGigaflops = await machinePeak(options.engine, options.threads);
    const events = run(options, { signal, note: context.note, peakGigaflops });
    const stopped = await follow(events, context, { label: "pretrain", peakGigaflops });
    if (stopped?.reason !== "interrupted") context.print(`the model is in ${join(options.out, "model")}`);
    return undefined;
  },
});
