/** Chat templates: messages as the one text that a model was taught with, in training and in use. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { fail } from "../ir/index.js";
import type { Finding } from "./doctor.js";
import type { Tokenizer } from "./tokenizer.js";

export interface Message {
  /** "system", "user", "assistant", or another that the template knows. */
  readonly role: string;
  readonly content: string;
  /** More that a template may read, such as tool calls. */
  readonly [key: string]: unknown;
}

/** What tokenizer_config.json says of a chat. */
export interface Chat {
  /** In Jinja, as transformers reads it. */
  readonly template: string;
  /** Texts of special tokens by their names there: bos_token, eos_token, … */
  readonly specials: Readonly<Record<string, string>>;
}

export interface RenderOptions extends Chat {
  /** End with what begins an answer. */
  readonly addGenerationPrompt?: boolean;
  /** More that a template may read, such as tools. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/**
 * The text of a chat; its special tokens are in it, so that it is encoded without any. Throws `data` for messages that the template
 * does not take, `tokenizer` for a template that is none.
 */
export function renderChat(messages: readonly Message[], o: RenderOptions): string {
  if (!messages.length) throw fail("data", "a chat without messages", "give at least one");
  for (const [i, { role, content }] of messages.entries())
    if (typeof role !== "string" || typeof content !== "string")
      throw fail(
        "data",
        `message ${i + 1} of a chat has no ${typeof role === "string" ? "content" : "role"}`,
        'such as {"role": "user", "content": "hello"}',
      );
  const template = parsed(o.template);
  try {
    const asked = { messages, add_generation_prompt: o.addGenerationPrompt ?? false };
    return template.render({ ...o.specials, ...o.variables, ...asked });
  } catch (error) {
    throw fail(
      "data",
      `the chat template does not take these messages: ${(error as Error).message}`,
      "change the messages, or ask the template's authors",
    );
  }
}

function parsed(template: string): Template {
  try {
    return new Template(template);
  } catch (error) {
    throw fail("tokenizer", `the chat template is not Jinja: ${(error as Error).message}`, "ask its authors");
  }
}

type Config = Readonly<Record<string, unknown>>;

/** Special tokens by their names, which are texts or objects with a content. */
export function specialsOf(config: Config): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!/^[a-z]+_token$/.test(key)) continue;
    const content = typeof value === "object" && value !== null ? (value as Config)["content"] : value;
    if (typeof content === "string") found[key] = content;
  }
  return found;
}

/**
 * The chat template of a model folder: that of chat_template.jinja, else of tokenizer_config.json, where several may have names;
 * undefined where there is none. Throws `tokenizer` for a name that is not there.
 */
export async function loadChat(folder: string, config: Config, name = "default"): Promise<Chat | undefined> {
  const specials = specialsOf(config);
  const file = await readFile(join(folder, "chat_template.jinja"), "utf8").catch(() => undefined);
  if (file !== undefined && name === "default") return { template: file, specials };
  const given = config["chat_template"];
  if (given === undefined || given === null) return undefined;
  if (typeof given === "string") return { template: given, specials };
  const list = Array.isArray(given) ? (given as { name?: unknown; template?: unknown }[]) : [];
  const found = list.find((one) => one?.name === name);
  if (typeof found?.template === "string") return { template: found.template, specials };
  throw fail(
    "tokenizer",
    `there is no chat template called ${name}`,
    `there are ${list.map((one) => one?.name).join(", ") || "none"}`,
    join(folder, "tokenizer_config.json"),
  );
}

const example: readonly Message[] = [
  { role: "user", content: "plinth-question" },
  { role: "assistant", content: "plinth-answer" },
];

/**
 * What is wrong with how a chat template and its tokeniser go together: a beginning token that other programs write twice, no end
 * after an answer, special tokens that are not in the vocabulary, no beginning of an answer.
 */
export async function examineChat(tokenizer: Tokenizer, chat: Chat): Promise<Finding[]> {
  const text = renderChat(example, chat);
  const findings: Finding[] = [];
  const find = (code: string, message: string, help: string) =>
    findings.push({ severity: "warning", code, count: 1, message, ids: [], help });
  const ids = await tokenizer.encode(text);
  const [twice] = await tokenizer.encodeBatch([text], { specials: true });
  const { bos } = tokenizer.special;
  if (bos !== undefined && ids[0] === bos && twice![0] === bos && twice![1] === bos)
    find(
      "double-bos",
      `the chat template writes ${tokenizer.token(bos)}, and the tokeniser adds another`,
      "encode rendered chats without special tokens, as plinth does",
    );
  const answered = await tokenizer.encode(text.slice(text.lastIndexOf("plinth-answer") + "plinth-answer".length));
  if (!answered.some((id) => tokenizer.isSpecial(id)))
    find(
      "missing-eos",
      "the chat template writes no special token after an answer: a model that is taught with it does not learn to end",
      "add {{ eos_token }} after the assistant's messages",
    );
  for (const [name, token] of Object.entries(chat.specials))
    if (tokenizer.id(token) === undefined)
      find(
        "unknown-special",
        `the ${name} ${JSON.stringify(token)} is not in the vocabulary`,
        "correct tokenizer_config.json",
      );
  const asked = renderChat(example.slice(0, 1), chat);
  if (renderChat(example.slice(0, 1), { ...chat, addGenerationPrompt: true }) === asked && !answersFollow(asked, text))
    find(
      "no-generation-prompt",
      "the chat template has nothing that begins an answer",
      "use add_generation_prompt in it",
    );
  return findings;
}

/** Whether an answer goes on where a question ends, as in Mistral's templates. */
const answersFollow = (asked: string, text: string): boolean =>
  text.startsWith(asked) && text.slice(asked.length).trimStart().startsWith("plinth-answer");
