/** Writing texts with a model folder: one of plinth's own, or of any program whose families plinth knows. */
import { readFile } from "node:fs/promises";
import { type Message, type Row, renderChat, rows, type Tokenizer } from "../data/index.js";
import { fail } from "../ir/index.js";
import { parametersOf } from "../models/index.js";
import { chooseEngine } from "../runtime/index.js";
import { type Constraint, constraintOf, decoderOf, parsePattern, schemaExpression } from "../serve/index.js";
import { type Base, openBase } from "./base.js";
import { type GenerateSettings, type GenerateTextOptions, generateSettings } from "./generate-options.js";
import { type GenerationConfig, generationConfig } from "./generation-config.js";
import { grouped } from "./predict.js";
import { type Piece, type Prompt, type Writing, type Written, writeAll } from "./prompt.js";
import { textsBegin } from "./save-model.js";

export interface WriteControl {
  readonly signal?: AbortSignal | undefined;
  /** Takes what the user should know, such as options that the model's folder sets. */
  note?(text: string): void;
}

/** A text that was written, and for which prompt. */
export interface WrittenText extends Written {
  /** From 0, over all prompts. */
  readonly index: number;
  readonly prompt: string;
}

/**
 * Pieces of one text as they are written, without the prompt; then how it ended. Throws `checkpoint` and `tokenizer` for a folder that
 * is no model, `config` for a family that does not write and for options that do not go together.
 */
export async function* generateText(
  given: GenerateTextOptions,
  control: WriteControl = {},
): AsyncGenerator<string, Written> {
  const o = generateSettings(given);
  if (o.data.length || o.prompt.length > 1)
    throw fail("config", "one text is written at a time here", "generateTexts writes several", "prompt");
  await using model = await openWriter(o, control);
  const pieces = model.write([{ text: o.prompt[0] ?? "" }]);
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return value[0]!;
    yield value.piece;
  }
}

/** Texts for every prompt, `batchSize` side by side, in the order of the prompts: each as it would be alone. Throws as `generateText`. */
export async function* generateTexts(
  given: GenerateTextOptions,
  control: WriteControl = {},
): AsyncGenerator<WrittenText> {
  const o = generateSettings(given);
  let model: OpenWriter | undefined;
  let index = 0;
  try {
    for await (const group of grouped(promptsOf(o), o.batchSize)) {
      if (control.signal?.aborted) return;
      model ??= await openWriter(o, control);
      const prompts = group.map((row) => ({ text: promptIn(row, o.text) }));
      const pieces = model.write(prompts);
      let step = await pieces.next();
      while (!step.done) step = await pieces.next();
      for (const [i, written] of step.value.entries()) yield { index: index++, prompt: prompts[i]!.text, ...written };
    }
    if (!model) throw fail("usage", "there is nothing to write on", "give a prompt, or --data with a file");
  } finally {
    await model?.[Symbol.asyncDispose]();
  }
}

async function* promptsOf(o: GenerateSettings): AsyncGenerator<Row> {
  for (const [i, text] of o.prompt.entries()) yield { at: `prompt ${i + 1}`, fields: { [o.text]: text } };
  for (const source of o.data) yield* rows(source, { text: o.text });
}

function promptIn({ at, fields }: Row, column: string): string {
  const text = fields[column];
  if (typeof text === "string") return text;
  throw fail("data", `this row has no text under "${column}"`, "name the column of the prompt: --text", at);
}

interface OpenWriter extends AsyncDisposable {
  write(prompts: readonly Prompt[]): AsyncGenerator<Piece, Written[]>;
}

async function openWriter(o: GenerateSettings, { signal, note }: WriteControl): Promise<OpenWriter> {
  const base = await openBase(o.model);
  const decoder = decoderOf(base.family, base.config);
  const said = await generationConfig(base.path);
  const writing = await writingOf(base, o, said);
  const taken = Object.entries(said.options).filter(([name]) => o[name as keyof GenerateSettings] === undefined);
  if (taken.length)
    note?.(`from generation_config.json: ${taken.map(([name, value]) => `${name} ${value}`).join(", ")}`);
  const engine = await chooseEngine(o.engine);
  const session = await base.open(engine, parametersOf(base.family, base.config), { threads: o.threads });
  return {
    write: (prompts) =>
      writeAll(session, decoder, base.tokenizer, {
        ...writing,
        prompts: prompts.map((p) => asked(p, base, o)),
        note,
        signal,
      }),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** What is written with: the options, then what the folder says, then plinth's own defaults. */
async function writingOf(base: Base, given: GenerateSettings, said: GenerationConfig): Promise<Writing> {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GenerateSettings;
  const drawn =
    (["topK", "topP", "minP"] as const).some((name) => set[name] !== undefined) || (set.temperature ?? 0) > 0;
  if (drawn && (set.beams ?? 1) > 1)
    throw fail(
      "config",
      "beams search for the likeliest text and draw nothing",
      "leave out --beams, or how to draw",
      "beams",
    );
  // whoever says how to draw wants to draw, whatever the folder has beside
  const o = { ...said.options, ...(drawn && { beams: undefined }), ...set };
  if (o.jsonSchema !== undefined && o.regex !== undefined)
    throw fail(
      "config",
      "a text cannot be held to a schema and a regular expression at once",
      "give one of them",
      "regex",
    );
  const { tokenizer, config } = base;
  return {
    ...o,
    tokens: o.tokens ?? 100,
    temperature: o.temperature ?? 0.8,
    logitBias: o.logitBias && biasById(o.logitBias, tokenizer),
    begins: await textsBegin(base.path),
    start: said.start ?? (config["start"] as number | undefined),
    stop: [...said.stop],
    stops: o.stop,
    constraint: await constraintFor(o, tokenizer),
  };
}

/** A prompt as the model is given it. */
function asked({ text }: Prompt, { tokenizer }: Base, o: GenerateSettings): Prompt {
  if (!o.chat && o.system === undefined) return { text };
  if (!tokenizer.chat)
    throw fail(
      "tokenizer",
      "this model has no chat template",
      "leave out --chat and --system, or add chat_template.jinja to its folder",
      o.model,
    );
  const system: Message[] = o.system === undefined ? [] : [{ role: "system", content: o.system }];
  const messages = [...system, { role: "user", content: text }];
  return { text: renderChat(messages, { ...tokenizer.chat, addGenerationPrompt: true }), rendered: true };
}

function biasById(bias: Readonly<Record<string, number>>, tokenizer: Tokenizer): Record<number, number> {
  return Object.fromEntries(
    Object.entries(bias).map(([token, value]) => {
      // a number is an id, whatever the vocabulary has of digits
      const id = /^\d+$/.test(token) ? Number(token) : tokenizer.id(token);
      if (id === undefined || id >= tokenizer.vocabSize)
        throw fail(
          "config",
          `there is no token ${JSON.stringify(token)} in the vocabulary`,
          "plinth tokenize shows tokens as they are written there",
          "logitBias",
        );
      return [id, value];
    }),
  );
}

async function constraintFor(
  { jsonSchema, regex }: GenerateSettings,
  tokenizer: Tokenizer,
): Promise<Constraint | undefined> {
  if (regex !== undefined) {
    return constraintOf(parsePattern(regex, "regex").expression, tokenizer.texts(), "regex");
  }
  if (jsonSchema === undefined) return undefined;
  const file = typeof jsonSchema === "string" && !jsonSchema.trimStart().startsWith("{") ? jsonSchema : undefined;
  const at = file ?? "jsonSchema";
  const schema = typeof jsonSchema === "string" ? parsed(file ? await schemaIn(file) : jsonSchema, at) : jsonSchema;
  return constraintOf(schemaExpression(schema), tokenizer.texts(), at);
}

const schemaIn = (path: string): Promise<string> =>
  readFile(path, "utf8").catch((error: Error) => {
    throw fail("config", `the schema cannot be read: ${error.message}`, "give a file of JSON", "jsonSchema");
  });

function parsed(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fail("config", `the schema is not JSON: ${(error as Error).message}`, "correct it", at);
  }
}
