/** JSON Schema as the set of JSON texts that are written for it: on one line, properties in their order, none but those described. */
import { fail, type PlinthError } from "../../ir/index.js";
import { choice, type Expression, literal, nothing, optional, repeat, sequence } from "./expression.js";
import { boundedInteger, boundedNumber, freeInteger, freeNumber } from "./numbers.js";
import { stringOf } from "./strings.js";

type Schema = Readonly<Record<string, unknown>>;
interface Place {
  readonly root: unknown;
  /** JSON pointer of the part, for messages. */
  readonly path: string;
  /** References on the way here. */
  readonly through: readonly string[];
  /** Parts that were referred to before. */
  readonly known: Map<string, Expression>;
}

const remarks =
  "title description default examples $schema $id $comment deprecated readOnly writeOnly $defs definitions".split(" ");
/** What says more about values of a type. */
const details: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties", "unevaluatedProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems"],
  string: ["minLength", "maxLength", "pattern", "format"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  boolean: [],
  null: [],
};
const deepest = 64;
/** Levels of lists and objects in a value of which nothing is said. */
const anyDepth = 2;

/**
 * JSON texts that are valid under a schema: not all of them, but each one is. Throws `config` for a schema that asks for what is not
 * supported, naming the part: it must be said with type, enum, const, anyOf, $ref (not to itself) and what belongs to each type.
 */
export const schemaExpression = (schema: unknown): Expression =>
  valueOf(schema, { root: schema, path: "#", through: [], known: new Map() });

const refuse = (what: string, help: string, { path }: Place): PlinthError =>
  fail("config", `a JSON schema with ${what}`, help, path);

const under = (place: Place, key: string | number): Place => ({ ...place, path: `${place.path}/${key}` });

function valueOf(schema: unknown, place: Place): Expression {
  if (place.path.split("/").length > deepest) throw refuse(`more than ${deepest} levels`, "use fewer", place);
  if (schema === true) return anyValue(anyDepth);
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw refuse(`${JSON.stringify(schema)} where a schema is wanted`, "a schema is an object, or true", place);
  const s = schema as Schema;
  if (s["$ref"] !== undefined) return reference(s, place);
  const alone = ["enum", "const", "anyOf"].find((key) => s[key] !== undefined);
  const types = s["type"] === undefined ? inferred(s) : [s["type"]].flat();
  const unknown = types.find((type) => typeof type !== "string" || !(type in details));
  if (unknown !== undefined || !types.length)
    throw refuse(`the type ${JSON.stringify(unknown ?? [])}`, `one of ${Object.keys(details).join(", ")}`, place);
  const wanted = types as string[];
  const known = [...remarks, "type", ...(alone ? [alone] : wanted.flatMap((type) => details[type]!))];
  const stray = Object.keys(s).find((key) => !known.includes(key));
  if (stray)
    throw refuse(
      `"${stray}"${alone ? ` beside "${alone}"` : ""}, which a constraint does not know`,
      "say it in another way, or leave it out",
      place,
    );
  if (s["enum"] !== undefined) return listed(s["enum"], wanted, under(place, "enum"));
  if (s["const"] !== undefined) return literal(JSON.stringify(s["const"]));
  if (s["anyOf"] !== undefined)
    return choice(
      ...list(s["anyOf"], under(place, "anyOf")).map((one, i) => valueOf(one, under(under(place, "anyOf"), i))),
    );
  return choice(...wanted.map((type) => typed(type, s, place)));
}

/** A schema may leave its type to what it says of it; of one that says nothing, any. */
function inferred(s: Schema): string[] {
  const said = Object.keys(details).filter((type) => details[type]!.some((key) => s[key] !== undefined));
  if (said.length) return said.includes("integer") ? ["number"] : said;
  return Object.keys(details).filter((type) => type !== "integer");
}

function list(value: unknown, place: Place): readonly unknown[] {
  if (!Array.isArray(value) || !value.length)
    throw refuse("no list where one is wanted", "give at least one entry", place);
  return value;
}

function listed(values: unknown, types: readonly string[], place: Place): Expression {
  const fits = list(values, place).filter((value) => types.some((type) => isOf(value, type)));
  if (!fits.length) throw refuse("no value of its own type", "change the type or the values", place);
  return choice(...fits.map((value) => literal(JSON.stringify(value))));
}

function isOf(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

/** A key of a JSON pointer; one that is not well escaped is taken as it is written. */
function unescaped(key: string): string {
  let plain = key;
  try {
    plain = decodeURIComponent(key);
  } catch {
    // then no part is found under it, which is told
  }
  return plain.replaceAll("~1", "/").replaceAll("~0", "~");
}

function reference(s: Schema, place: Place): Expression {
  const to = s["$ref"];
  const stray = Object.keys(s).find((key) => key !== "$ref" && !remarks.includes(key));
  if (stray) throw refuse(`"${stray}" beside "$ref"`, "put it where the reference leads", place);
  if (typeof to !== "string" || !/^#(\/|$)/.test(to))
    throw refuse(
      `a reference to ${JSON.stringify(to)}`,
      'only parts of itself can be named, such as "#/$defs/name"',
      place,
    );
  if (place.through.includes(to))
    throw refuse(`the part ${to} inside itself`, "write out as many levels as are wanted", place);
  const known = place.known.get(to);
  if (known) return known;
  let found: unknown = place.root;
  for (const key of to.split("/").slice(1)) found = (found as Schema | undefined)?.[unescaped(key)];
  if (found === undefined) throw refuse(`a reference to ${to}, which it does not have`, "name a part of it", place);
  const made = valueOf(found, { ...place, path: to, through: [...place.through, to] });
  place.known.set(to, made);
  return made;
}

function typed(type: string, s: Schema, place: Place): Expression {
  switch (type) {
    case "object":
      return objectOf(s, place);
    case "array":
      return arrayOf(s, place);
    case "string":
      return stringOf(s, place.path);
    case "integer":
    case "number":
      return numberOf(type, s, place);
    case "boolean":
      return choice(literal("true"), literal("false"));
    default:
      return literal("null");
  }
}

const space = optional(literal(" "));
const comma = sequence(literal(","), space);
const colon = sequence(literal(":"), space);

function objectOf(s: Schema, place: Place): Expression {
  const {
    properties = {},
    required = [],
    additionalProperties: more,
  } = s as {
    properties?: Schema;
    required?: readonly string[];
    additionalProperties?: unknown;
  };
  if (typeof properties !== "object" || properties === null || !Array.isArray(required))
    throw refuse("properties or required names of this form", "an object of schemas, and a list of names", place);
  const names = Object.keys(properties);
  const missing = required.find((name) => !names.includes(name));
  if (missing !== undefined)
    throw refuse(`the required property "${missing}", which is not described`, "put it among its properties", place);
  if (!names.length && more !== false) return mapOf(valueOf(more ?? true, under(place, "additionalProperties")));
  if (typeof more === "object" && more !== null)
    throw refuse("described properties and further ones", "leave out additionalProperties", place);
  const at = under(place, "properties");
  const pairs = names.map((name) =>
    sequence(literal(JSON.stringify(name)), colon, valueOf(properties[name], under(at, name))),
  );
  // by what is left, from the back: after a first pair, and before one
  let [later, first]: [Expression, Expression] = [nothing, nothing];
  for (const [i, name] of [...names.entries()].reverse()) {
    const [pair, must] = [pairs[i]!, required.includes(name)];
    const [withComma, without] = [sequence(comma, pair, later), sequence(pair, later)];
    [later, first] = must ? [withComma, without] : [choice(withComma, later), choice(without, first)];
  }
  return sequence(literal("{"), first, literal("}"));
}

function mapOf(value: Expression): Expression {
  const pair = sequence(stringOf({}, ""), colon, value);
  return sequence(literal("{"), optional(sequence(pair, repeat(sequence(comma, pair), 0))), literal("}"));
}

function arrayOf(s: Schema, place: Place): Expression {
  const least = wholeNumber(s, "minItems", place) ?? 0;
  const most = wholeNumber(s, "maxItems", place) ?? Infinity;
  if (least > most) throw refuse(`at least ${least} items and at most ${most}`, "change one of them", place);
  if (s["prefixItems"] !== undefined) {
    const at = under(place, "prefixItems");
    const items = list(s["prefixItems"], at).map((one, i) => valueOf(one, under(at, i)));
    if (items.length < least || items.length > most)
      throw refuse(
        `${items.length} items in prefixItems, which are not between its least and most`,
        "change one of them",
        place,
      );
    return sequence(literal("["), ...items.flatMap((item, i) => (i ? [comma, item] : [item])), literal("]"));
  }
  return listOf(most === 0 ? nothing : valueOf(s["items"] ?? true, under(place, "items")), least, most);
}

function listOf(item: Expression, least: number, most: number): Expression {
  const rest = repeat(sequence(comma, item), Math.max(0, least - 1), Math.max(0, most - 1));
  const some = most === 0 ? nothing : sequence(item, rest);
  return sequence(literal("["), least ? some : optional(some), literal("]"));
}

function wholeNumber(s: Schema, key: string, place: Place): number | undefined {
  const value = s[key];
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || (value as number) < 0)
    throw refuse(`a ${key} of ${JSON.stringify(value)}`, "a whole number from 0", place);
  return value as number;
}

function numberOf(type: "integer" | "number", s: Schema, place: Place): Expression {
  const bounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map((key) => {
    const value = s[key];
    if (value !== undefined && !Number.isSafeInteger(value))
      throw refuse(`a ${key} of ${JSON.stringify(value)}`, "bounds are whole numbers", place);
    return value as number | undefined;
  });
  const [minimum, maximum, above, below] = bounds;
  if (bounds.every((bound) => bound === undefined)) return type === "integer" ? freeInteger : freeNumber;
  const range = {
    from: Math.max(minimum ?? -Infinity, above ?? -Infinity),
    to: Math.min(maximum ?? Infinity, below ?? Infinity),
    above: above !== undefined && above >= (minimum ?? -Infinity),
    below: below !== undefined && below <= (maximum ?? Infinity),
  };
  const found = type === "integer" ? boundedInteger(range) : boundedNumber(range);
  if (!found) throw refuse("bounds that no number is between", "change one of them", place);
  return found;
}

/** Any value, of so many levels. */
function anyValue(levels: number): Expression {
  const simple = choice(literal("null"), literal("true"), literal("false"), freeNumber, stringOf({}, ""));
  if (levels === 0) return simple;
  const inner = anyValue(levels - 1);
  return choice(simple, listOf(inner, 0, Infinity), mapOf(inner));
}
