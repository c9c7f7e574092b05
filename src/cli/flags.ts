/** Words of a command line to an options object, with every mistake named. */
import { fail } from "../ir/index.js";
import { accepts, expected, type Flag, itemOf, type Node } from "./schema.js";
import { suggestion } from "./suggestion.js";

/** Flags every command has. */
export const common = {
  "--config": "options from a file: plinth.config.ts, or JSON or YAML with one section a command",
  "--json": "print JSON for programs, one object a line",
  "--verbose": "show the stack of an unexpected error",
  "--help": "show this help",
} as const;

/** What was typed, before the schema has seen it. */
export interface Parsed {
  readonly options: Record<string, unknown>;
  /** Names of the options given here rather than in a config file. */
  readonly given: ReadonlySet<string>;
  readonly config?: string;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
}

const wrong = (name: string, node: Node, text: string) =>
  fail("usage", `${name} must be ${expected(node)}, not ${JSON.stringify(text)}`);

function single(name: string, node: Node, text: string): unknown {
  const choices = (node.anyOf ?? [node]).flatMap((n) => n.enum ?? (n.const === undefined ? [] : [n.const]));
  const chosen = choices.find((c) => String(c) === text);
  if (chosen !== undefined) return chosen;
  if (accepts(node, "number") && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  if (accepts(node, "boolean") && (text === "true" || text === "false")) return text === "true";
  if (accepts(node, "string")) return text;
  if (accepts(node, "object") && text.startsWith("{")) {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw fail("usage", `${name} is not valid JSON: ${(error as Error).message}`);
    }
  }
  if (choices.length && !accepts(node, "number")) {
    throw fail("usage", `${name} must be ${expected(node)}, not "${text}"`, suggestion(text, choices.map(String)));
  }
  throw wrong(name, node, text);
}

/** The value a flag's text stands for; a list also splits numbers and choices at commas. */
function coerce({ name, node }: Flag, text: string): unknown {
  const item = itemOf(node);
  if (!item || (!/[\d,]/.test(text) && accepts(node, "string"))) return single(name, node, text);
  const pieces = accepts(item, "string") ? [text] : text.split(",");
  return pieces.map((piece) => single(name, item, piece));
}

function put(options: Record<string, unknown>, flag: Flag, value: unknown): void {
  let here = options;
  for (const key of flag.path.slice(0, -1)) {
    here[key] ??= {};
    here = here[key] as Record<string, unknown>;
  }
  const last = flag.path.at(-1)!;
  const before = here[last];
  here[last] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
}

interface Spelled {
  readonly flag: Flag;
  readonly off: boolean;
}

function find(name: string, flags: readonly Flag[], at: string): Spelled {
  const exact = flags.find((f) => f.name === name);
  if (exact) return { flag: exact, off: false };
  const positive = name.startsWith("--no-") ? flags.find((f) => f.name === `--${name.slice(5)}`) : undefined;
  if (positive && accepts(positive.node, "boolean")) return { flag: positive, off: true };
  const names = [...flags.map((f) => f.name), ...Object.keys(common)].map((n) => n.slice(2));
  throw fail("usage", `unknown flag ${name}`, suggestion(name.replace(/^-+/, ""), names, "--"), at);
}

/** The words after the command. Throws `usage` for an unknown flag, a missing value or one of the wrong kind. */
export function parse(
  words: readonly string[],
  flags: readonly Flag[],
  positional: readonly string[],
  at: string,
): Parsed {
  const options: Record<string, unknown> = {};
  const given = new Set<string>();
  const loose: string[] = [];
  const seen = { json: false, verbose: false, help: false } as { -readonly [K in keyof Parsed]?: Parsed[K] };
  const take = (flag: Flag, value: unknown) => {
    put(options, flag, value);
    given.add(flag.path.join("."));
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") {
      loose.push(...words.slice(i + 1));
      break;
    }
    if (word === "--json" || word === "--verbose" || word === "--help") seen[word.slice(2) as "json"] = true;
    else if (word === "-h") seen.help = true;
    else if (!word.startsWith("-") || word === "-") loose.push(word);
    else {
      const [name, ...rest] = word.split("=") as [string, ...string[]];
      const attached = rest.length ? rest.join("=") : undefined;
      const next = () => {
        const value = attached ?? words[++i];
        const missing = value === undefined || (attached === undefined && /^--?[a-z]/i.test(value));
        if (missing) throw fail("usage", `${name} needs a value`, `plinth ${at} --help shows which`, `plinth ${at}`);
        return value;
      };
      if (name === "--config") seen.config = next();
      else {
        const { flag, off } = find(name, flags, `plinth ${at}`);
        const isSwitch = accepts(flag.node, "boolean") && attached === undefined && !truth(words[i + 1]);
        if (off || isSwitch) take(flag, !off);
        else {
          take(flag, coerce(flag, next()));
          // --sizes 32 128 512
          while (isNumberList(flag.node) && isNumber(words[i + 1])) take(flag, coerce(flag, words[++i]!));
        }
      }
    }
  }
  spread(loose, flags, positional, at, take);
  return { options, given, json: false, verbose: false, help: false, ...seen };
}

const isNumber = (word: string | undefined) => word !== undefined && word !== "" && Number.isFinite(Number(word));
const isNumberList = (node: Node) => {
  const item = itemOf(node);
  return item !== undefined && accepts(item, "number") && !accepts(item, "string");
};
const truth = (word: string | undefined) => word === "true" || word === "false";

function spread(
  loose: readonly string[],
  flags: readonly Flag[],
  positional: readonly string[],
  at: string,
  take: (flag: Flag, value: unknown) => void,
): void {
  let rest = loose;
  for (const name of positional) {
    const flag = flags.find((f) => f.path.join(".") === name)!;
    const list = itemOf(flag.node) !== undefined;
    const mine = list ? rest : rest.slice(0, 1);
    for (const word of mine) take(flag, coerce(flag, word));
    rest = rest.slice(mine.length);
  }
  if (rest.length === 0) return;
  const help = positional.length ? `plinth ${at} --help shows what it takes` : "values follow a flag: --name value";
  throw fail("usage", `unexpected ${JSON.stringify(rest[0])}`, help, `plinth ${at}`);
}
