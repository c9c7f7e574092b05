import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import { randomStream } from "../../nn/index.js";
import { constraintOf, type Pieces, parsePattern, schemaExpression } from "./index.js";

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: readonly Uint8Array[]) =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes));

/** Every byte, some words that go over what a grammar tells apart, and an end that is no text. */
const words = [
  '{"',
  '":',
  '": ',
  '", "',
  '"}',
  "true",
  "alse",
  "12",
  "-1",
  ".5",
  "\\n",
  "né",
  "日本",
  " the",
  "ab",
  "aab",
  "]}",
];
const pieces: Pieces = {
  bytes: [undefined, ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)), ...words.map(utf8)],
  stripsSpace: false,
};
const end = 0;

/** Text of a model that has no idea, held to a constraint. */
function drawn(c: ReturnType<typeof constraintOf>, { seed, tokens }: { seed: number; tokens: number }): string {
  const random = randomStream(seed, "draw");
  const written: Uint8Array[] = [];
  let state = c.begin({ fresh: true, tokens });
  for (let left = tokens; left > 0 && !c.complete(state); left--) {
    const scores = Float32Array.from(pieces.bytes, () => random());
    c.restrict(scores, { state, left, stop: [end] });
    const id = scores.indexOf(Math.max(...scores));
    expect(scores[id]).toBeGreaterThan(-Infinity);
    if (id === end) break;
    written.push(pieces.bytes[id]!);
    state = c.after(state, id);
  }
  return text(written);
}

const ofPattern = (source: string) => constraintOf(parsePattern(source, "--regex").expression, pieces, "--regex");
const ofSchema = (schema: unknown) => constraintOf(schemaExpression(schema), pieces, "--json-schema");

const patterns = [
  "\\d{4}-(0[1-9]|1[0-2])-\\d\\d",
  "(a|b)*c",
  "[^\\W\\d_]{2,5}( [a-f]+)?",
  "\\p{Lu}\\p{Ll}{1,3}",
  "x?y+z*",
  "(?:yes|no|né|日本)\\.?",
  "[\\]\\-^a\\x41\\u00e9\\u{1F600}-\\u{1F64F}]{3}",
  ".{3}",
  "\\s\\S\\t?",
  "(a+)+b",
  "(?<year>\\d{2,})|",
  "^(start|[b-d])end\\$$",
];

test.each(patterns)("what is written under /%s/ matches it, also when few tokens are left", (source) => {
  const c = ofPattern(source);
  const expression = new RegExp(`^(?:${source})$`, "u");
  for (let seed = 0; seed < 12; seed++)
    for (const tokens of [10, 14, 40]) expect(drawn(c, { seed, tokens })).toMatch(expression);
});

test("a pattern allows every text that it matches, token by token", () => {
  const c = ofPattern('[^"]*"(né|日本)*');
  for (const ids of [
    [...utf8('a né 🌍"né日本')].map((byte) => byte + 1),
    [1 + 97, 1 + 34, 257 + words.indexOf("né")],
  ]) {
    let state = c.begin({ fresh: true, tokens: 100 });
    for (const id of ids) {
      const scores = new Float32Array(pieces.bytes.length);
      c.restrict(scores, { state, left: 50, stop: [end] });
      expect(scores[id]).toBe(0);
      state = c.after(state, id);
    }
    const scores = new Float32Array(pieces.bytes.length);
    c.restrict(scores, { state, left: 50, stop: [end] });
    expect(scores[end]).toBe(0);
  }
});

const schemas: Record<string, object> = {
  person: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: {
      name: { type: "string", minLength: 1, maxLength: 6 },
      age: { type: "integer", minimum: 0, maximum: 120 },
      height: { type: "number", exclusiveMinimum: 0, maximum: 3 },
      tags: { type: "array", items: { enum: ["a", "b", 'c"\\'] }, minItems: 1, maxItems: 3 },
      kind: { const: "x" },
    },
    required: ["name", "age"],
    additionalProperties: false,
  },
  parts: {
    type: "object",
    properties: { left: { $ref: "#/$defs/point" }, right: { anyOf: [{ $ref: "#/$defs/point" }, { type: "null" }] } },
    required: ["right"],
    $defs: { point: { type: "array", prefixItems: [{ type: "integer" }, { type: "integer" }], items: false } },
  },
  map: { type: "object", additionalProperties: { type: "boolean" } },
  anything: {},
  numbers: { type: "array", items: { type: ["number", "boolean", "null"] }, maxItems: 3 },
  negative: { type: "integer", minimum: -250, exclusiveMaximum: 17 },
  below: { type: "number", minimum: -3, exclusiveMaximum: -1 },
  large: { type: "integer", exclusiveMinimum: 98 },
  pattern: { type: "string", pattern: '^["\\\\a-c\\n]{2,4}$' },
  inside: { type: "string", pattern: "ab" },
  date: { type: "string", format: "date" },
  moment: { type: "string", format: "date-time" },
  uuid: { type: "string", format: "uuid" },
  address: { type: "string", format: "ipv4" },
  mail: { type: "string", format: "email" },
};

test.each(Object.entries(schemas))(
  "what is written under a schema is JSON of it, also when few tokens are left: %s",
  (_, schema) => {
    const c = ofSchema(schema);
    // items after the described ones are not known to the checker's reading of draft 2020-12
    const check = z.fromJSONSchema(schema as never);
    for (let seed = 0; seed < 25; seed++)
      for (const tokens of [60, 70, 200]) {
        const value = JSON.parse(drawn(c, { seed, tokens }));
        expect(check.safeParse(value).error?.issues, JSON.stringify(value)).toBeUndefined();
      }
  },
);

test("whole numbers between bounds are all there is, and no other", () => {
  for (const [minimum, maximum] of [
    [-12, 7],
    [95, 1003],
    [0, 0],
    [-30, -8],
    [8, 8],
    [0, 100],
  ] as const) {
    const c = ofSchema({ type: "integer", minimum, maximum });
    const accepts = (value: string) => {
      let state = c.begin({ fresh: true, tokens: 9 });
      for (const byte of utf8(value)) {
        const scores = new Float32Array(pieces.bytes.length);
        c.restrict(scores, { state, left: 99, stop: [end] });
        if (scores[byte + 1] !== 0) return false;
        state = c.after(state, byte + 1);
      }
      const scores = new Float32Array(pieces.bytes.length);
      c.restrict(scores, { state, left: 99, stop: [end] });
      return scores[end] === 0;
    };
    for (let n = minimum - 15; n <= maximum + 15; n++)
      expect([n, accepts(`${n}`)]).toEqual([n, n >= minimum && n <= maximum]);
    expect(accepts("00") || accepts("-0") || accepts("1e1")).toBe(false);
  }
});

test("a decoder that takes the first space away is reckoned with", () => {
  const spaced: Pieces = { bytes: [" yes", "no", " ", "x"].map(utf8), stripsSpace: true };
  const c = constraintOf(parsePattern("(yes)+| no", "").expression, spaced, "");
  const may = (state: number) => {
    const scores = new Float32Array(4);
    c.restrict(scores, { state, left: 9, stop: [] });
    return [...scores].flatMap((score, id) => (score === 0 ? [id] : []));
  };
  expect(may(c.begin({ fresh: true, tokens: 5 }))).toEqual([0]);
  expect(may(c.begin({ fresh: false, tokens: 5 }))).toEqual([2]);
  const after = c.after(c.begin({ fresh: true, tokens: 5 }), 0);
  expect(c.complete(after)).toBe(true);
});

const refusal = (make: () => unknown): string => {
  try {
    make();
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
};

test("what a pattern cannot say is refused by name", () => {
  const cases = [
    "(a",
    "(?=a)b",
    "(a)\\1",
    "\\bword",
    "a^b",
    "^a|b$",
    "a{2,1}",
    `${"(".repeat(150)}a${")".repeat(150)}`,
  ];
  expect(cases.map((source) => refusal(() => ofPattern(source)).split("\n")[0])).toMatchInlineSnapshot(`
    [
      "Invalid regular expression: /(a/u: Unterminated group",
      "a constraint cannot have a part that looks ahead or back",
      "a constraint cannot have a back reference",
      "a constraint cannot have a word boundary",
      "a constraint cannot have ^ or $ inside",
      "a constraint cannot have ^ or $ beside |",
      "Invalid regular expression: /a{2,1}/u: numbers out of order in {} quantifier",
      "a constraint cannot have more than 100 parentheses in each other",
    ]
  `);
  // younger runtimes know such groups
  expect(refusal(() => ofPattern("(?i:a)"))).toMatch(/Invalid group|cannot have flags of its own/);
  expect(refusal(() => ofPattern("x".repeat(20_001)))).toMatch(/a regular expression of 20001 characters/);
  expect(refusal(() => ofPattern("(?=a)b"))).toMatchInlineSnapshot(`
    "a constraint cannot have a part that looks ahead or back
      at --regex: (?=a)b
      help: say it with what is written"
  `);
});

test("what takes other engines forever is answered at once", () => {
  const from = performance.now();
  for (const source of ["(a+)+b", "(a|a)*b", "(a|aa)+c", "(.*)*x", "(a?){300}b", "((((a*)*)*)*)*b"])
    expect(drawn(ofPattern(source), { seed: 1, tokens: 20 })).toMatch(/[abcx]$/);
  for (const source of ["(a{1,1000}){1,1000}", "(){1000000000}", "((a{1,99}){1,99}){1,99}", "(.{1000}){900}"])
    expect(refusal(() => ofPattern(source))).toMatch(/the constraint is too large/);
  expect(refusal(() => drawn(ofPattern(".*a.{40}"), { seed: 1, tokens: 60 }))).toMatch(/no error|too large/);
  expect(performance.now() - from).toBeLessThan(8000);
});

test("what a schema cannot say is refused, naming the part", () => {
  const object = (properties: object, more: object = {}) => ({ type: "object", properties, ...more });
  const cases = [
    "text",
    { type: "strin" },
    object({ a: { not: {} } }),
    object({ a: { type: "integer", multipleOf: 3 } }),
    object({ a: { type: "array", uniqueItems: true } }),
    { enum: [], type: "string" },
    { enum: [1], type: "string" },
    object({}, { required: ["b"], additionalProperties: false }),
    object({ a: {} }, { additionalProperties: { type: "null" } }),
    { $ref: "#/$defs/list", $defs: { list: { type: "array", items: { $ref: "#/$defs/list" } } } },
    { $ref: "#/$defs/none" },
    { $ref: "https://example.org/x" },
    { $ref: "#/$defs/a", type: "string", $defs: { a: {} } },
    { type: "number", minimum: 0.5 },
    { type: "integer", minimum: 5, maximum: 4 },
    { type: "array", minItems: 3, maxItems: 2 },
    { type: "array", minItems: -1 },
    { type: "array", prefixItems: [{}], minItems: 2 },
    { type: "string", format: "iri" },
    { type: "string", format: "date", maxLength: 9 },
    { type: "string", pattern: 5 },
    { type: "string", minLength: 2.5 },
    { type: "string", minLength: 5, maxLength: 4 },
    { anyOf: [{ type: "string" }], minLength: 2 },
    { oneOf: [{ type: "string" }] },
  ];
  expect(cases.map((schema) => refusal(() => ofSchema(schema)).replaceAll("\n  ", "; "))).toMatchInlineSnapshot(`
    [
      "a JSON schema with "text" where a schema is wanted; at #; help: a schema is an object, or true",
      "a JSON schema with the type "strin"; at #; help: one of object, array, string, integer, number, boolean, null",
      "a JSON schema with "not", which a constraint does not know; at #/properties/a; help: say it in another way, or leave it out",
      "a JSON schema with "multipleOf", which a constraint does not know; at #/properties/a; help: say it in another way, or leave it out",
      "a JSON schema with "uniqueItems", which a constraint does not know; at #/properties/a; help: say it in another way, or leave it out",
      "a JSON schema with no list where one is wanted; at #/enum; help: give at least one entry",
      "a JSON schema with no value of its own type; at #/enum; help: change the type or the values",
      "a JSON schema with the required property "b", which is not described; at #; help: put it among its properties",
      "a JSON schema with described properties and further ones; at #; help: leave out additionalProperties",
      "a JSON schema with the part #/$defs/list inside itself; at #/$defs/list/items; help: write out as many levels as are wanted",
      "a JSON schema with a reference to #/$defs/none, which it does not have; at #; help: name a part of it",
      "a JSON schema with a reference to "https://example.org/x"; at #; help: only parts of itself can be named, such as "#/$defs/name"",
      "a JSON schema with "type" beside "$ref"; at #; help: put it where the reference leads",
      "a JSON schema with a minimum of 0.5; at #; help: bounds are whole numbers",
      "a JSON schema with bounds that no number is between; at #; help: change one of them",
      "a JSON schema with at least 3 items and at most 2; at #; help: change one of them",
      "a JSON schema with a minItems of -1; at #; help: a whole number from 0",
      "a JSON schema with 1 items in prefixItems, which are not between its least and most; at #; help: change one of them",
      "a string with the format "iri"; at #; help: one of date, time, date-time, uuid, ipv4, email; or a pattern",
      "a string with more than one of a pattern, a format and a length; at #; help: say it in one pattern, such as ^[a-z]{1,9}$",
      "a string with the pattern 5; at #; help: a regular expression as a text",
      "a string with a minLength of 2.5; at #; help: a whole number from 0",
      "a string with at least 5 characters and at most 4; at #; help: change one of them",
      "a JSON schema with "minLength" beside "anyOf", which a constraint does not know; at #; help: say it in another way, or leave it out",
      "a JSON schema with "oneOf", which a constraint does not know; at #; help: say it in another way, or leave it out",
    ]
  `);
  let deep: object = { type: "null" };
  for (let i = 0; i < 70; i++) deep = { type: "array", items: deep };
  expect(refusal(() => ofSchema(deep))).toMatch(/more than 64 levels/);
});

test("a text that cannot be written, or not in so few tokens, is refused before any is", () => {
  const c = ofSchema({ type: "object", properties: { name: { type: "string" } }, required: ["name"] });
  expect(refusal(() => c.begin({ fresh: true, tokens: 3 }))).toMatchInlineSnapshot(`
    "a text that fits the constraint may take 8 tokens, and only 3 are allowed
      at --json-schema
      help: allow at least 8"
  `);
  const few: Pieces = { bytes: ["a", "bc", "xb"].map(utf8), stripsSpace: false };
  expect(refusal(() => constraintOf(parsePattern("a7", "").expression, few, "--regex"))).toMatchInlineSnapshot(`
    "no text that the model can write fits the constraint
      at --regex"
  `);
  const c2 = constraintOf(parsePattern("ab", "").expression, few, "--regex");
  expect(refusal(() => c2.begin({ fresh: true, tokens: 3 }))).toMatchInlineSnapshot(`
    "the tokeniser has no tokens for a text that fits the constraint
      at --regex
      help: change one of them"
  `);
});

test("masks of a large vocabulary take milliseconds", () => {
  const large: Pieces = {
    bytes: Array.from({ length: 50_000 }, (_, id) => (id < 256 ? Uint8Array.of(id) : utf8(` w${id.toString(36)}`))),
    stripsSpace: false,
  };
  const c = constraintOf(schemaExpression(schemas["person"]), large, fileURLToPath(import.meta.url));
  const scores = new Float32Array(large.bytes.length);
  let state = c.begin({ fresh: true, tokens: 99 });
  const from = performance.now();
  for (const byte of utf8('{"name":"abc","age":12}')) {
    scores.fill(0);
    c.restrict(scores, { state, left: 99, stop: [] });
    expect(scores[byte]).toBe(0);
    state = c.after(state, byte);
  }
  expect((performance.now() - from) / 23).toBeLessThan(50);
});
