/** `plinth export`: a model for Python and for the browser. */
import { exportModel, exportOptions, saidOfFile } from "../jobs/index.js";
import { command } from "./command.js";

export const exporting = command({
  options: exportOptions,
  positional: ["model"],
  examples: [
    { line: "npx plinth export runs/first --out exported", why: "for Python's transformers and for transformers.js" },
    {
      line: "npx plinth export runs/adapt --out exported --format onnx --data held-out.csv",
      why: "a classifier for the browser, held to the model on texts of your own",
    },
    {
      line: "npx plinth export runs/pairs --out exported --format sentence-transformers,onnx --precisions f32,int8",
      why: "sentence vectors, for Python and for transformers.js",
    },
  ],
  async run(options, context) {
    for await (const written of exportModel(options)) {
      context.emit(written);
      if (written.kind === "onnx") context.print(`${written.file}: ${saidOfFile(written)}`);
      else context.print(`${written.file}: a folder that ${written.kind} loads`);
    }
    return undefined;
  },
});
