/** What `exportModel` takes. */
import { z } from "zod";

export const exportOptions = z.object({
  model: z.string().describe("a model folder, or a run that finished"),
  out: z.string().describe("the folder to write"),
  format: z
    .array(z.enum(["transformers", "sentence-transformers", "onnx"]))
    .min(1)
    .default(["transformers", "onnx"])
    .describe("whom it is for; onnx is for transformers.js and others that run ONNX"),
  body: z.boolean().default(false).describe("leave the head out: a vector for each token (feature-extraction)"),
  pooling: z
    .enum(["mean", "cls", "last"])
    .optional()
    .describe("how a text's vectors become one; as the model was trained if absent, else mean"),
  precisions: z
    .array(z.enum(["f32", "f16", "int8"]))
    .min(1)
    .default(["f32", "f16", "int8"])
    .describe("ONNX files to write; f16 and int8 store weights in 16 and 8 bits"),
  data: z
    .array(z.string())
    .default([])
    .describe("texts to hold the ONNX files to the model on; else the run's own held-out ones"),
  text: z.string().default("text").describe("column of the text"),
  samples: z.int().positive().default(8).describe("texts of the data to use"),
  replace: z.boolean().default(false).describe("write into a folder that is there already"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where the model itself runs"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
});
export type ExportOptions = z.input<typeof exportOptions>;
export type ResolvedExport = z.output<typeof exportOptions>;
