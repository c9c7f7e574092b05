import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { command } from "./command.js";
import { parse } from "./flags.js";
import { resolveOptions } from "./options.js";
import { describeSchema, flagsOf } from "./schema.js";

const demo = command({
  options: z.object({
    data: z.array(z.string()).describe("the files to read"),
    steps: z.int().positive().default(10).describe("how many"),
    learningRate: z.number().positive().default(0.1).describe("peak"),
    model: z.object({ hiddenSize: z.int().optional().describe("width") }).optional(),
  }),
  positional: ["data"],
  examples: [],
  run: async () => undefined,
});
const flags = flagsOf(describeSchema(demo.options));

function workspace(files: Record<string, string> = {}) {
  const cwd = mkdtempSync(join(tmpdir(), "plinth-options-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const notes: string[] = [];
  const at = { name: "demo", known: ["demo", "other"], cwd, note: (text: string) => void notes.push(text) };
  const run = (...words: string[]) => resolveOptions(at, demo, parse(words, flags, ["data"], "demo"));
  const refused = (...words: string[]) =>
    run(...words).then(
      () => "accepted",
      (error: Error) => error.message,
    );
  return { run, refused, notes };
}

test("flags win over the file, the file over the defaults", async () => {
  const { run } = workspace({ "c.yaml": "demo:\n  data: [a.txt]\n  steps: 20\n  model: { hiddenSize: 8 }\n" });
  const options = await run("--config", "c.yaml", "--steps", "30");
  expect(options).toEqual({ data: ["a.txt"], steps: 30, learningRate: 0.1, model: { hiddenSize: 8 } });
});

test("a typed configuration file is read, its imports of plinth and of its neighbours included", async () => {
  const { run, notes } = workspace({
    "sizes.ts": "export const width: number = 12;\n",
    "plinth.config.ts": `import { defineConfig } from "plinth";\nimport { width } from "./sizes.js";
      export default defineConfig({ demo: { data: ["b.txt"], model: { hiddenSize: width } } } as never);\n`,
  });
  expect(await run()).toMatchObject({ data: ["b.txt"], model: { hiddenSize: 12 } });
  expect(notes).toEqual(["options from plinth.config.ts"]);
});

test("a wrong key or value in a file is named with its line and the nearest key", async () => {
  const { refused } = workspace({
    "a.yaml": "demo:\n  data: [a.txt]\n  learningRat: 1\n",
    "b.json": '{\n  "demo": {\n    "data": ["a.txt"],\n    "model": { "hidenSize": 3 }\n  }\n}\n',
    "c.yaml": "demo:\n  data: [a.txt]\n  steps: many\n",
    "d.yaml": "demmo:\n  steps: 3\n",
    "e.json": '{ "demo": { "steps": 3,, } }',
    "f.yaml": "- demo\n",
    "g.toml": "",
    "h.ts": "export default { demo: nowhere };\n",
    "i.yaml": "demo: 3\n",
  });
  const all = ["a.yaml", "b.json", "c.yaml", "d.yaml", "e.json", "f.yaml", "none.yaml", "g.toml", "h.ts", "i.yaml"];
  expect(await Promise.all(all.map((file) => refused("--config", file)))).toMatchInlineSnapshot(`
    [
      "unknown option "learningRat"
      at a.yaml:3: demo.learningRat
      help: did you mean learningRate?",
      "unknown option "hidenSize"
      at b.json:4: demo.model.hidenSize
      help: did you mean hiddenSize?",
      "steps must be a whole number above 0, not "many"
      at c.yaml:3: demo.steps",
      "unknown section "demmo"
      at d.yaml:1: demmo
      help: did you mean demo?",
      "cannot read e.json: Unexpected , in flow map
      at e.json:1:24
      help: mend the file, then try again",
      "a configuration file holds one section a command
      at f.yaml
      help: write { demo: { ... } }",
      "there is no configuration file none.yaml
      help: check the path after --config",
      "g.toml is of an unknown kind ".toml"
      help: use .ts, .js, .json, .yaml or .yml",
      "cannot run h.ts: nowhere is not defined
      at h.ts
      help: mend the file, then try again",
      "the section "demo" is not an object
      at i.yaml:1: demo",
    ]
  `);
});

test("what is missing or wrong on the command line is said as a flag", async () => {
  const { refused } = workspace();
  expect(await refused()).toMatchInlineSnapshot(`
    "--data is missing: the files to read
      at plinth demo
      help: see --help for an example"
  `);
  expect(await refused("a.txt", "--steps", "0")).toMatchInlineSnapshot(`
    "--steps must be a whole number above 0, not 0
      at plinth demo"
  `);
});
