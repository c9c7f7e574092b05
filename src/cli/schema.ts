/** What a zod schema says about its options, read from its JSON Schema: kinds, defaults, help, and values in words. */
import { z } from "zod";

/** The part of JSON Schema that describes an option. */
export interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
}

/** One option that can be written on the command line. */
export interface Flag {
  /** Its place in the options object: `["model", "hiddenSize"]`. */
  readonly path: readonly string[];
  /** As it is typed: `--model.hidden-size`. */
  readonly name: string;
  readonly node: Node;
  readonly required: boolean;
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** `["model", "hiddenSize"]` -> `--model.hidden-size`. */
export const flagName = (path: readonly PropertyKey[]): string => `--${path.map((p) => kebab(String(p))).join(".")}`;

/** The input side of a schema as JSON Schema. */
export const describeSchema = (schema: z.ZodType): Node =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node;

/** Every option of an object schema, nested objects flattened with dots. */
export function flagsOf(node: Node, path: readonly string[] = [], required = true): Flag[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const here = [...path, key];
    const needed = required && (node.required?.includes(key) ?? false);
    if (child.properties) return flagsOf(child, here, needed);
    return [{ path: here, name: flagName(here), node: child, required: needed && child.default === undefined }];
  });
}

const alternatives = (node: Node): readonly Node[] => (node.anyOf ? node.anyOf.flatMap(alternatives) : [node]);
const literals = (node: Node): readonly unknown[] =>
  alternatives(node).flatMap((n) => n.enum ?? (n.const === undefined ? [] : [n.const]));

/** Whether a value of this JSON type may stand here. */
export const accepts = (node: Node, type: string): boolean =>
  alternatives(node).some((n) => {
    if (n.enum || n.const !== undefined) return false;
    return n.type === type || (type === "number" && n.type === "integer");
  });

/** The node of a list's elements, if lists are accepted. */
export const itemOf = (node: Node): Node | undefined =>
  alternatives(node).find((n) => n.type === "array")?.items ?? (accepts(node, "array") ? {} : undefined);

/** The node at a path of options, through lists and records. */
export function nodeAt(node: Node | undefined, path: readonly PropertyKey[]): Node | undefined {
  const [key, ...rest] = path;
  if (key === undefined || !node) return node;
  for (const option of alternatives(node)) {
    const extra = typeof option.additionalProperties === "object" ? option.additionalProperties : undefined;
    const next = typeof key === "number" ? option.items : (option.properties?.[String(key)] ?? extra);
    const found = next && nodeAt(next, rest);
    if (found) return found;
  }
  return undefined;
}

/** The first key of a value that its schema does not know: where it is, and which keys are known there. */
export function strayKey(node: Node | undefined, value: unknown, path: readonly PropertyKey[] = []): Stray | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const known = node?.properties;
  const open = node?.anyOf !== undefined || Boolean(node?.additionalProperties) || !known;
  for (const [key, child] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    if (!open && !Object.hasOwn(known, key)) return { path: here, known: Object.keys(known) };
    const deeper = strayKey(nodeAt(node, here.slice(-1)), child, here);
    if (deeper) return deeper;
  }
  return undefined;
}

export interface Stray {
  readonly path: readonly PropertyKey[];
  readonly known: readonly string[];
}

const range = (n: Node): string => {
  const bound = (word: string, value: number | undefined) =>
    value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? [] : [`${word} ${value}`];
  const parts = [
    ...bound("above", n.exclusiveMinimum),
    ...bound("at least", n.minimum),
    ...bound("at most", n.maximum),
    ...bound("below", n.exclusiveMaximum),
  ];
  return parts.length ? ` ${parts.join(" and ")}` : "";
};

const words: Record<string, string> = { string: "text", boolean: "true or false", object: "an object", null: "null" };

/** What may stand here, in words: `a whole number above 0`, `one of gpt, bert`. */
export function expected(node: Node): string {
  const known = literals(node);
  const others = alternatives(node).filter((n) => !n.enum && n.const === undefined);
  const said = others.map((n) => {
    if (n.type === "integer") return `a whole number${range(n)}`;
    if (n.type === "number") return `a number${range(n)}`;
    if (n.type === "array") return `a list of ${n.items ? expected(n.items) : "values"}`;
    return words[n.type ?? ""] ?? "a value";
  });
  const choice =
    known.length > 1 || (known.length && !said.length) ? [`one of ${known.join(", ")}`] : known.map(String);
  return [...choice, ...said].join(", or ");
}

/** How a flag's value is named in help: `<number>`, `<gpt|bert>`; empty for a switch. */
export function placeholder(node: Node): string {
  const item = itemOf(node);
  if (item) return placeholder(item).replace(/>$/, "...>");
  const known = literals(node).map(String);
  const kinds = ["string", "number", "boolean", "object"].filter((t) => accepts(node, t));
  if (kinds.length === 1 && kinds[0] === "boolean" && !known.length) return "";
  const named = kinds.map((k) => ({ string: "text", number: "number", boolean: "true|false", object: "json" })[k]);
  return `<${[...known, ...named].join("|") || "value"}>`;
}
