/** `plinth pretrain`: text in, a language model out. */
import { pretrainOptions, pretrain as run } from "../jobs/index.js";
import { command } from "./command.js";
import { machinePeak } from "./machine-peak.js";
import { follow } from "./terminal.js";

export const pretrain = command({
  options: pretrainOptions,
  positional: ["data"],
  examples: [
    {
      line: "npx plinth pretrain wordnet:definitions --size 3e6 --minutes 1",
      why: "a small GPT on the text that travels with plinth",
    },
    {
      line: "npx plinth pretrain wordnet:definitions --family bert --preset bert-tiny --minutes 60 --out runs/bert",
      why: "a BERT that fills in masked words, to adapt later",
    },
  ],
  async run(options, context) {
    const resume = `npx plinth pretrain ${options.data.join(" ")} … --out ${options.out} --resume`;
    const signal = context.interruptible(`go on with the same command and --resume: ${resume}`);
    const peakGigaflops = await machinePeak(options.engine, options.threads);
    const events = run(options, { signal, note: context.note });
    const stopped = await follow(events, context, { label: "pre-training", ...(peakGigaflops && { peakGigaflops }) });
    if (stopped && stopped.reason !== "interrupted") context.print(`the model is in ${options.out}/model`);
    return undefined;
  },
});
