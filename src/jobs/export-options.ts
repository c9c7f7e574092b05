/** What `exportModel` takes. */
import { z } from "zod";
import { exportTasks } from "./portable.js";

export const exportFormats = ["transformers", "sentence-transformers", "onnx"] as const;

export const exportOptions = z.object({
  model: z.string().describe("a model folder, or a run that finished"),
  out: z.string().describe("the folder to write"),
  format: z
    .array(z.enum(exportFormats))
    .min(1)
    .default(["transformers", "onnx"])
    .describe(
      "whom it is for: Python's transformers, its sentence-transformers, and what runs ONNX such as transformers.js",
    ),
  task: z.enum(exportTasks).optional().describe("what the model is for; as its config.json says if absent"),
  pooling: z
    .enum(["mean", "cls", "last"])
    .optional()
    .describe("how a text's vectors become one; as the model was trained if absent, else mean"),
  precisions: z
    .array(z.enum(["f32", "f16", "int8"]))
    .min(1)
    .default(["f32", "f16", "int8"])
    .describe("ONNX files to write: f32, weights in half precision, weights in eight bits"),
  data: z
    .array(z.string())
    .default([])
    .describe("texts that the ONNX files are held to the model on; a few of our own if absent"),
  text: z.string().default("text").describe("column of the text"),
  samples: z.int().positive().default(8).describe("texts of the data to use"),
  replace: z.boolean().default(false).describe("write into a folder that is there already"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where the model itself runs"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
});
export type ExportOptions = z.input<typeof exportOptions>;
export type ResolvedExport = z.output<typeof exportOptions>;
