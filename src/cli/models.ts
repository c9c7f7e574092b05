/** `plinth models`: the named sizes there are, or what one number of parameters turns into. */
import { z } from "zod";
import { left, renderTable, right } from "../evaluate/index.js";
import { type AnyFamily, describe, families, parameterCount } from "../models/index.js";
import { command } from "./command.js";

const options = z.object({
  family: z
    .enum(Object.keys(families) as [keyof typeof families])
    .optional()
    .describe("only this family"),
  size: z.number().positive().optional().describe("parameters wanted, such as 3e6: shows what the size dial derives"),
  vocabSize: z.int().positive().default(8192).describe("--size: entries of the vocabulary"),
  contextLength: z.int().positive().default(128).describe("--size: tokens a row may have"),
});

const numbers = ["parameters", "layers", "heads", "width", "context", "vocabulary"];
const columns = [left("preset"), ...numbers.map(right)];

const row = (name: string, parameters: number, c: AnyFamily["presets"][string]): string[] => [
  name,
  parameters.toLocaleString("en-US"),
  ...[c.layers, c.heads, c.hiddenSize, c.contextLength, c.vocabSize].map(String),
];

/** Lists presets; with --size, the config that the dial gives in each family. */
export const models = command({
  options,
  examples: [
    { line: "npx plinth models", why: "every named size" },
    { line: "npx plinth models --family gpt --size 3e6", why: "what a GPT of three million parameters looks like" },
  ],
  async run({ family, size, vocabSize, contextLength }, context) {
    const chosen: readonly AnyFamily[] = family ? [families[family]] : Object.values(families);
    for (const one of chosen) {
      const sized = size === undefined ? one.presets : { derived: one.derive({ size, vocabSize, contextLength }) };
      const counted = Object.entries(sized).map(([name, config]) => ({
        name,
        parameters: parameterCount(one, config),
        config,
      }));
      for (const entry of counted) context.emit({ family: one.name, ...entry });
      const title = `${one.name}: ${one.summary}`;
      const rows = counted.map((c) => row(c.name, c.parameters, c.config));
      if (size !== undefined) context.print(`${title}\n${describe(one, counted[0]!.config)}\n`);
      else context.print(`${renderTable({ title, columns, rows }, { width: context.width })}\n`);
    }
    return undefined;
  },
});
