/** docs/reference/ops.md: every op of the table, with what its source says about it. */
import { readdirSync, readFileSync } from "node:fs";
import type { AnyOp, Emitter, Sample, SampleInput, Type } from "../../src/ir/index.js";
import { show } from "../../src/ir/index.js";
import { familyOf, table as ops } from "../../src/ops/index.js";
import { code, join, table } from "./markdown.js";

const sources = new URL("../../src/ops/", import.meta.url);

/** Op name to the doc comment in front of its definition. */
function comments(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(sources).filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts"))) {
    const text = readFileSync(new URL(file, sources), "utf8");
    for (const [, comment, name] of text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport const (\w+)/g))
      found.set(name!, comment!.replace(/\s*\n \* ?/g, " ").trim());
  }
  return found;
}

const typeOf = (x: SampleInput): Type => {
  const { shape, dtype } = "shape" in x ? x : { shape: x, dtype: undefined };
  return { dtype: dtype ?? "f32", shape };
};

/** The ONNX operators an op is written with; empty when it is written lowered. */
function onnxOf(op: AnyOp, { inputs, attrs }: Sample<unknown>): string {
  if (!op.onnx) return "";
  if (typeof op.onnx === "string") return op.onnx;
  const used = new Set<string>();
  const many = (count: number, type: string, domain?: string): string[] => {
    used.add(domain ? `${domain}.${type}` : type);
    return Array.from({ length: count }, () => "x");
  };
  const emitter: Emitter = {
    contrib: false,
    node: (type, _inputs, _attrs, domain) => many(1, type, domain)[0]!,
    many: (count, type, _inputs, _attrs, domain) => many(count, type, domain),
    constant: () => "x",
    shape: () => "x",
  };
  const types = inputs.map(typeOf);
  const out = [op.type(types, attrs)].flat() as Type[];
  op.onnx(
    emitter,
    types.map((_, i) => `x${i}`),
    attrs as never,
    { inputs: types, outputs: out },
  );
  return [...used].join(", ");
}

function row(op: AnyOp, comment: string | undefined): string[] {
  const sample = op.samples[0]!;
  const types = sample.inputs.map(typeOf);
  const out = [op.type(types, sample.attrs)].flat() as Type[];
  const signature = `${types.map(show).join(", ")} → ${out.map(show).join(", ")}`;
  const kind = [op.lower ? "composite" : "basic", ...(op.vjp || op.lower ? [] : ["no gradient"])].join(", ");
  return [code(op.name), comment ?? "", signature, kind, onnxOf(op, sample)];
}

/** Every op, by family. */
export function opsPage(): string {
  const said = comments();
  const families = new Map<string, AnyOp[]>();
  for (const op of ops.values()) {
    const family = familyOf(op.name) ?? "";
    families.set(family, [...(families.get(family) ?? []), op]);
  }
  const head = ["op", "what it is", "an example of its types", "kind", "in ONNX"];
  const sections = [...families].map(([family, list]) =>
    join(
      `## ${family}`,
      table(
        head,
        list.map((op) => row(op, said.get(op.name))),
      ),
    ),
  );
  const intro =
    `${ops.size} ops. A composite is defined by simpler ones; an engine with a kernel for it uses that, any other runs ` +
    "its definition, and a test holds both equal. An op without an ONNX operator is written as its definition.";
  return join("# Ops", intro, ...sections);
}
