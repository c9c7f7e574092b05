/** What an adaptation with its control can be told. */
import { z } from "zod";
import { adaptOptions } from "./adapt-options.js";

const count = z.int().positive();

/** What `adapt --control` takes: an adaptation, at several sizes and seeds, beside the same network from scratch. */
export const controlOptions = adaptOptions.extend({
  control: z.boolean().default(false).describe("also train the same network from scratch, and report what was saved"),
  sizes: z
    .array(count)
    .default([64, 256, 1024])
    .describe("--control: labelled examples to learn from; sizes beyond the data become all of it"),
  seeds: count.default(3).describe("--control: seeds at each size, each with its own examples and first weights"),
  rates: z
    .array(z.number().positive())
    .default([3e-4, 1e-3, 3e-3])
    .describe("--control: learning rates tried for each side; the best on validation is used"),
  testExamples: count.default(2000).describe("--control: test examples of each run, at most"),
});
export type ControlOptions = z.input<typeof controlOptions>;
export type ResolvedControl = z.output<typeof controlOptions>;
