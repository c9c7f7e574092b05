import { expect, test } from "vitest";
import { z } from "zod";
import { parse } from "./flags.js";
import { describeSchema, expected, flagsOf, placeholder } from "./schema.js";

const schema = z.object({
  data: z.array(z.string()).min(1).describe("files"),
  learningRate: z.number().positive().default(1e-3).describe("peak"),
  steps: z.int().positive().optional().describe("how many"),
  family: z.enum(["gpt", "bert"]).default("gpt").describe("which"),
  best: z.boolean().default(true).describe("keep the best"),
  labels: z.array(z.int().positive()).optional().describe("counts"),
  every: z
    .union([z.literal("epoch"), z.int().positive()])
    .default("epoch")
    .describe("how often"),
  model: z.object({ hiddenSize: z.int().positive().optional().describe("width") }).optional(),
  extra: z.record(z.string(), z.unknown()).optional().describe("anything"),
});
const flags = flagsOf(describeSchema(schema));
const read = (...words: string[]) => parse(words, flags, ["data"], "demo");
const refusal = (...words: string[]) => {
  try {
    read(...words);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("not refused");
};

test("flags are the schema's names in kebab case, nested ones with dots", () => {
  expect(flags.map((f) => f.name)).toEqual([
    "--data",
    "--learning-rate",
    "--steps",
    "--family",
    "--best",
    "--labels",
    "--every",
    "--model.hidden-size",
    "--extra",
  ]);
});

test("values take the type their schema asks for", () => {
  const { options } = read("--learning-rate", "3e-4", "--steps=20", "--model.hidden-size", "64", "--every", "epoch");
  expect(options).toEqual({ learningRate: 3e-4, steps: 20, model: { hiddenSize: 64 }, every: "epoch" });
  expect(read("--every", "5").options).toEqual({ every: 5 });
});

test("a list grows by repeating its flag, and numbers also by commas or one after the other", () => {
  const { options } = read("--data", "a,1.txt", "--data", "b.txt", "--labels", "64,256", "--labels", "1024");
  expect(options).toEqual({ data: ["a,1.txt", "b.txt"], labels: [64, 256, 1024] });
  expect(read("--labels", "64", "256", "a.txt").options).toEqual({ data: ["a.txt"], labels: [64, 256] });
});

test("a switch is on, off with --no-, or says which", () => {
  expect(read("--best").options).toEqual({ best: true });
  expect(read("--no-best").options).toEqual({ best: false });
  expect(read("--best", "false").options).toEqual({ best: false });
  expect(read("--best", "a.txt").options).toEqual({ best: true, data: ["a.txt"] });
});

test("words without a flag fill the positional options, and -- ends the flags", () => {
  expect(read("a.txt", "--steps", "2", "b.txt").options).toEqual({ data: ["a.txt", "b.txt"], steps: 2 });
  expect(read("--extra", '{"a":[1]}').options).toEqual({ extra: { a: [1] } });
  expect(read("--", "--odd").options).toEqual({ data: ["--odd"] });
});

test("what every command has is kept apart", () => {
  const parsed = read("--json", "--config", "c.yaml", "--verbose");
  expect(parsed).toMatchObject({ json: true, verbose: true, config: "c.yaml", options: {} });
});

test("a misspelt flag, choice or value is named with what was meant", () => {
  expect(refusal("--learnig-rate", "1")).toMatchInlineSnapshot(`
    "unknown flag --learnig-rate
      at plinth demo
      help: did you mean --learning-rate?"
  `);
  expect(refusal("--family", "gtp")).toMatchInlineSnapshot(`
    "--family must be one of gpt, bert, not "gtp"
      help: known: gpt, bert"
  `);
  expect(refusal("--steps", "many")).toMatchInlineSnapshot(`"--steps must be a whole number above 0, not "many""`);
  expect(refusal("--steps")).toMatchInlineSnapshot(`
    "--steps needs a value
      at plinth demo
      help: plinth demo --help shows which"
  `);
  expect(refusal("--extra", "{ a: 1 }")).toMatch(/^--extra is not valid JSON: /);
  expect(refusal("--extra", "3")).toBe('--extra must be an object, not "3"');
  expect(refusal("--steps", "--best")).toMatch(/^--steps needs a value/);
});

test("types are said in words", () => {
  expect(flags.map((f) => expected(f.node))).toMatchInlineSnapshot(`
    [
      "a list of text",
      "a number above 0",
      "a whole number above 0",
      "one of gpt, bert",
      "true or false",
      "a list of a whole number above 0",
      "epoch, or a whole number above 0",
      "a whole number above 0",
      "an object",
    ]
  `);
  expect(flags.map((f) => placeholder(f.node))).toMatchInlineSnapshot(`
    [
      "<text...>",
      "<number>",
      "<number>",
      "<gpt|bert>",
      "",
      "<number...>",
      "<epoch|number>",
      "<number>",
      "<json>",
    ]
  `);
});
