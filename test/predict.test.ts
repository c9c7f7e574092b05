/** Using a trained classifier: what it reads of every text, in order, and what it says of held-out ones. */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { adapt, evaluate, predict, pretrain } from "../src/index.js";
import { type Nd, nd, type Type } from "../src/ir/index.js";
import { openModelFolder, writeModelFolder } from "../src/models/index.js";
import { temporary } from "./temporary.js";

const folder = temporary("plinth-predict-");
const words = { animal: ["cat", "dog", "bird", "fish"], food: ["bread", "soup", "cheese", "rice"] };
const sentence = (label: keyof typeof words, i: number) => `the large ${words[label][i % 4]} number ${i} is here`;
const things = (n: number) =>
  Array.from({ length: n }, (_, i) =>
    (["animal", "food"] as const).map((label) => ({ text: sentence(label, i), label })),
  ).flat();

let base: string;
let data: string;
let model: string;
const write = async (name: string, rows: readonly object[]): Promise<string> => {
  const path = join(folder(), name);
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  return path;
};
const all = async <T>(events: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const event of events) found.push(event);
  return found;
};

beforeAll(async () => {
  base = join(folder(), "base");
  model = join(folder(), "adapted");
  data = await write("things.jsonl", things(40));
  const sizes = { vocabSize: 200, contextLength: 32, model: { layers: 1, heads: 2, hiddenSize: 32 } };
  await all(pretrain({ data: [data], out: base, family: "bert", ...sizes, steps: 4, batchSize: 4 }));
  const held = await write("test.jsonl", things(6));
  const options = { contextLength: 7, overflow: "truncate" as const, steps: 40, learningRate: 5e-3 };
  const allow = ["leakage", "duplicates", "overflow"];
  await all(adapt({ data: [data], test: [held], base, out: model, allow, ...options }));
});

test("every text is answered in order, whatever its id and the batch size", async () => {
  const rows = things(3)
    .slice(0, 5)
    .map((row) => ({ ...row, id: "same" }));
  const path = await write("same.jsonl", rows);
  const said = await all(predict({ data: [path], model, batchSize: 4 }));
  expect(said.map((one) => one.text)).toEqual(rows.map((row) => row.text));
  const alone = await all(predict({ data: [path], model, batchSize: 1 }));
  for (const [i, one] of said.entries()) {
    expect(one.id).toBe("same");
    expect(one.labels[0]!.label).toBe(alone[i]!.labels[0]!.label);
    expect(one.labels[0]!.probability).toBeCloseTo(alone[i]!.labels[0]!.probability, 5);
  }
});

test("a text that was cut says so", async () => {
  const [short, long] = await all(predict({ texts: ["cat", "cat dog ".repeat(30)], model }));
  expect([short!.truncated, long!.truncated]).toEqual([undefined, true]);
});

test("scores do not depend on the batch size, and are those of the run, at its context length", async () => {
  const [three, many] = await Promise.all(
    [3, 32].map((batchSize) => evaluate({ data: [join(folder(), "test.jsonl")], model, batchSize })),
  );
  const { test: scores } = JSON.parse(await readFile(join(model, "results.json"), "utf8"));
  for (const [name, value] of Object.entries(many!)) expect(three![name]).toBeCloseTo(value, 5);
  for (const [name, value] of Object.entries(scores)) expect(many![name]).toBeCloseTo(value as number, 5);
  expect([many!["truncated"], many!["lostTokens"]! > 0]).toEqual([12, true]);
});

test("a context longer than the base's is refused", async () => {
  const long = all(adapt({ data: [data], base, out: join(folder(), "long"), contextLength: 33 }));
  await expect(long).rejects.toMatchObject({ code: "config", help: "use at most 32" });
});

test("a causal model is measured with the documents of its training, on texts shorter than its context", async () => {
  const text = await write("short.jsonl", things(1));
  const sizes = { vocabSize: 300, contextLength: 64, model: { layers: 1, heads: 2, hiddenSize: 32 } };
  for (const documents of ["isolated", "joined"] as const) {
    const out = join(folder(), documents);
    const held = { data: [data], validation: [text], allow: ["leakage"] };
    await all(pretrain({ ...held, out, family: "gpt", documents, ...sizes, steps: 4, batchSize: 2 }));
    const scores = await evaluate({ data: [text], model: out });
    expect(scores).toEqual(await evaluate({ data: [text], model: out, documents }));
    const other = documents === "joined" ? "isolated" : "joined";
    expect(scores["loss"]).not.toBe((await evaluate({ data: [text], model: out, documents: other }))["loss"]);
  }
});

test("labels that occur once are learnt from, and what was moved or cut is told", async () => {
  const rare = Array.from({ length: 20 }, (_, i) => ({ text: `one of a kind ${i} is here`, label: `rare ${i}` }));
  const path = await write("rare.jsonl", [...things(40), ...rare]);
  const options = { steps: 2, contextLength: 7, overflow: "truncate" as const };
  const allow = ["leakage", "duplicates", "overflow"];
  const events = await all(adapt({ data: [path], base, out: join(folder(), "rare"), allow, ...options }));
  const told = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  expect(told.join("\n")).toMatch(/train: \d+ held-out examples were moved here/);
  expect(told.join("\n")).toMatch(/train: \d+ of \d+ texts too long, \d+ tokens lost \(such as /);
  const { labels } = JSON.parse(await readFile(join(folder(), "rare", "results.json"), "utf8"));
  expect(labels).toHaveLength(22);
});

test.each([
  ["a GPT that GPT-2's layout cannot say", "gpt", { positions: "rotary", norm: "rmsNorm" }, "last"],
  ["a Llama that no public layout can say", "llama", { window: 8, mlpBias: true, keyValueHeads: 1 }, "mean"],
  ["a RoBERTa with its own head", "bert", { layout: "roberta", tokenTypes: 1 }, "cls"],
  ["a DistilBERT with its own head", "bert", { layout: "distilbert", tokenTypes: 0 }, "cls"],
] as const)("a classifier on %s is written and opened again", async (_name, family, shape, pooling) => {
  const [plain, tuned] = [join(folder(), "plain"), join(folder(), "tuned")];
  const sizes = { vocabSize: 260, contextLength: 32, model: { layers: 1, heads: 2, hiddenSize: 32, ...shape } };
  const more = { allow: ["leakage"], replace: true, batchSize: 4 };
  await all(pretrain({ data: [data], out: plain, family, ...sizes, ...more, steps: 4 }));
  await all(adapt({ data: [data], base: plain, out: tuned, ...more, steps: 60, learningRate: 1e-2, pooling }));
  const said = await all(predict({ data: [data], model: tuned }));
  const right = said.filter((one, i) => one.labels[0]!.label === things(40)[i]!.label);
  // chance gives 40 of 80, with a deviation below 5
  expect(right.length).toBeGreaterThan(60);
  if (pooling !== "cls") return;
  // as another program leaves it
  const path = join(tuned, "model", "config.json");
  const { plinth: _, ...json } = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify(json));
  expect(await all(predict({ data: [data], model: tuned }))).toEqual(said);
});

test("a body is adapted whatever heads its public folder holds beside it", async () => {
  const [from, to] = [join(base, "model"), join(folder(), "with-pooler")];
  await cp(from, to, { recursive: true });
  await using given = await openModelFolder(from);
  const pooler = { "bert.pooler.dense.weight": nd("f32", [32, 32], 0.1), "bert.pooler.dense.bias": nd("f32", [32], 0) };
  const more = { ...pooler, "cls.seq_relationship.weight": nd("f32", [2, 32], 0) } as Record<string, Nd>;
  const stored = new Map(
    [...given.tensors].map(([name, { shape }]): [string, Type] => [name, { dtype: "f32", shape }]),
  );
  await writeModelFolder(to, {
    config: given.config,
    types: new Map([...stored, ...Object.entries(more)]),
    value: (name) => more[name] ?? given.read(name),
  });
  const events = await all(
    adapt({ data: [data], base: to, out: join(folder(), "pooled"), allow: ["leakage"], steps: 1 }),
  );
  expect(events.at(-1)).toMatchObject({ type: "stopped", step: 1 });
});
