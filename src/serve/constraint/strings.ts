/** Strings as JSON writes them: of a length, a pattern or a format. */
import { fail } from "../../ir/index.js";
import {
  characters,
  choice,
  complement,
  type Expression,
  literal,
  mapCharacters,
  oneOf,
  repeat,
  sequence,
} from "./expression.js";
import { containing, inJson, parsePattern } from "./regex.js";

const day = "(0[1-9]|1\\d|2[0-8])";
const date = `\\d{4}-((01|03|05|07|08|10|12)-(0[1-9]|[12]\\d|3[01])|(04|06|09|11)-(0[1-9]|[12]\\d|30)|02-${day})`;
const time = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
const byte = "(\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])";
/** Texts that are of the format, if not all of them: February has 28 days, a uuid is of version 4. */
const formats: Readonly<Record<string, string>> = {
  date,
  time,
  "date-time": `${date}T${time}`,
  uuid: "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
  ipv4: `(${byte}\\.){3}${byte}`,
  email: "[a-z0-9_+-]{1,32}(\\.[a-z0-9_+-]{1,32}){0,3}@[a-z0-9]{1,32}(\\.[a-z0-9]{1,32}){0,2}\\.[a-z]{2,12}",
};

const hex = oneOf("0123456789abcdefABCDEF");
/** Halves of surrogate pairs are no characters. */
const escaped = sequence(
  literal("\\"),
  choice(
    oneOf('"\\/bfnrt'),
    sequence(
      literal("u"),
      choice(sequence(oneOf("0123456789abcefABCEF"), hex), sequence(oneOf("dD"), oneOf("01234567"))),
      hex,
      hex,
    ),
  ),
);
const plain = characters(
  complement([
    [0, 31],
    [34, 34],
    [92, 92],
  ]),
);
const character = choice(plain, escaped);

/** Throws `config` for a length that is none, an unknown format, a pattern that is not read, and several of them. */
export function stringOf(s: Readonly<Record<string, unknown>>, at: string): Expression {
  const { pattern, format, minLength = 0, maxLength = Infinity } = s;
  const refuse = (what: string, help: string) => fail("config", `a string with ${what}`, help, at);
  const asked = [
    pattern !== undefined,
    format !== undefined,
    s["minLength"] !== undefined || s["maxLength"] !== undefined,
  ];
  if (asked.filter(Boolean).length > 1)
    throw refuse("more than one of a pattern, a format and a length", "say it in one pattern, such as ^[a-z]{1,9}$");
  if (typeof pattern === "string") return quoted(jsonOf(containing(parsePattern(pattern, `${at}/pattern`))));
  if (pattern !== undefined) throw refuse(`the pattern ${JSON.stringify(pattern)}`, "a regular expression as a text");
  if (format !== undefined) {
    const known = typeof format === "string" ? formats[format] : undefined;
    if (!known)
      throw refuse(`the format ${JSON.stringify(format)}`, `one of ${Object.keys(formats).join(", ")}; or a pattern`);
    return quoted(jsonOf(parsePattern(known, at).expression));
  }
  for (const [name, length] of Object.entries({ minLength, maxLength }))
    if (length !== Infinity && !(Number.isInteger(length) && (length as number) >= 0))
      throw refuse(`a ${name} of ${JSON.stringify(length)}`, "a whole number from 0");
  if ((minLength as number) > (maxLength as number))
    throw refuse(`at least ${minLength} characters and at most ${maxLength}`, "change one of them");
  return quoted(repeat(character, minLength as number, maxLength as number));
}

const quoted = (inside: Expression) => sequence(literal('"'), inside, literal('"'));
const jsonOf = (e: Expression) => mapCharacters(e, inJson);
