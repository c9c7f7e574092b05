/** `plinth import`: a public model as a folder of plinth's, and what it is. */
import { type Imported, importModel, importOptions } from "../jobs/index.js";
import { command } from "./command.js";

export const importing = command({
  options: importOptions,
  positional: ["model"],
  examples: [
    {
      line: "npx plinth import sentence-transformers/all-MiniLM-L6-v2 --out models/minilm",
      why: "download a model of the hub, which the next time is in the cache",
    },
    {
      line: "npx plinth import ../downloads/gpt2 --out models/gpt2 --floats f16",
      why: "a folder that another program saved, at half the size",
    },
  ],
  async run(options, context) {
    const imported = await importModel(options, { note: context.note });
    context.emit(imported);
    context.print(describe(imported));
    return undefined;
  },
});

function describe(i: Imported): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["family", i.family],
    ["parameters", `${i.parameters.toLocaleString("en-US")}, stored as ${i.floats}`],
    ["head", headOf(i)],
    ["tokeniser", `${i.tokenizer.kind}, ${i.tokenizer.vocabSize.toLocaleString("en-US")} entries`],
    ["pooling", i.pooling && `${i.pooling}${i.normalise ? ", vectors of length 1" : ""}`],
    ["revision", i.revision],
    ["files", i.files.join(", ")],
    ["written to", i.out],
  ];
  return rows.flatMap(([name, value]) => (value ? [`${name.padEnd(12)} ${value}`] : [])).join("\n");
}

const headOf = ({ languageHead, labels }: Imported): string =>
  labels?.length
    ? `labels ${labels.slice(0, 6).join(", ")}`
    : languageHead
      ? "of tokens"
      : "none: for vectors, or to adapt";
