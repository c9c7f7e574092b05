/** docs/reference/models.md: the model families, their presets and the options of their configs. */
import { describeSchema, flagsOf } from "../../src/cli/schema.js";
import { type AnyFamily, families, parameterCount } from "../../src/models/index.js";
import { optionRows } from "./commands.js";
import { code, join, table } from "./markdown.js";

const millions = (n: number) => `${(n / 1e6).toFixed(n < 1e7 ? 2 : 1)} M`;

function presets(family: AnyFamily): string {
  const rows = Object.entries(family.presets).map(([name, config]) => [
    code(name),
    millions(parameterCount(family, config)),
    ...[config.layers, config.heads, config.hiddenSize, config.contextLength, config.vocabSize].map(String),
  ]);
  return table(["preset", "parameters", "layers", "heads", "hiddenSize", "contextLength", "vocabSize"], rows);
}

function section(family: AnyFamily): string {
  const options = flagsOf(describeSchema(family.config));
  return join(
    `## ${family.name}`,
    `${family.summary} Objective: ${family.objective}.`,
    presets(family),
    table(["option", "kind", "default", "what it is"], optionRows(options)),
  );
}

/** Every family. */
export function modelsPage(): string {
  const list: readonly AnyFamily[] = Object.values(families);
  return join("# Models", "Names in the graph are the names in the public checkpoint format.", ...list.map(section));
}
