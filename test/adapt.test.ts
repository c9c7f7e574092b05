import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type AdaptOptions,
  adapt,
  control,
  evaluate,
  type Prediction,
  predict,
  pretrain,
  readCurve,
  verifyRun,
} from "../src/index.js";
import { PlinthError } from "../src/ir/index.js";
import { temporary } from "./temporary.js";

const folder = temporary("plinth-adapt-");
const words = {
  animal: ["cat", "dog", "bird", "fish", "wolf", "horse"],
  food: ["bread", "soup", "cheese", "apple", "rice", "cake"],
};
const sentence = (label: keyof typeof words, i: number) =>
  `the ${i % 2 ? "small" : "large"} ${words[label][i % 6]} number ${i} is ${i % 3 ? "here" : "there"}`;
const rows = (n: number) =>
  Array.from({ length: n }, (_, i) =>
    (["animal", "food"] as const).map((label) => ({ text: sentence(label, i), label })),
  ).flat();

let base: string;
let data: string;
beforeAll(async () => {
  base = join(folder(), "base");
  data = join(folder(), "things.jsonl");
  await writeFile(
    data,
    rows(60)
      .map((row) => JSON.stringify(row))
      .join("\n"),
  );
  const model = { layers: 1, heads: 2, hiddenSize: 32 };
  const options = {
    data: [data],
    family: "bert" as const,
    vocabSize: 200,
    contextLength: 32,
    model,
    steps: 4,
    batchSize: 4,
  };
  for await (const _ of pretrain({ ...options, out: base }));
});

const common = (out: string): AdaptOptions => ({
  data: [data],
  base,
  out: join(folder(), out),
  steps: 60,
  learningRate: 5e-3,
});
const all = async <T>(events: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const event of events) found.push(event);
  return found;
};

describe.each(["full", "head", "lora"] as const)("adapting by %s", (method) => {
  test("learns the labels, and the saved model says what the trained one said", async () => {
    const options = {
      ...common(method),
      method,
      rank: 4,
      ...(method === "lora" && { learningRate: 1e-2, steps: 200 }),
    };
    await all(adapt(options));
    const out = options.out!;
    const { test: scores } = JSON.parse(await readFile(join(out, "results.json"), "utf8"));
    if (method !== "head") expect(scores.accuracy).toBeGreaterThan(0.9);
    const held = join(folder(), `${method}.csv`);
    await writeFile(
      held,
      `text,label\n${rows(4)
        .map(({ text, label }) => `${text},${label}`)
        .join("\n")}\n`,
    );
    const again = await evaluate({ data: [held], model: out });
    const one = await evaluate({ data: [held], model: out, batchSize: 3 });
    expect(one["accuracy"]).toBe(again["accuracy"]);
    expect(one["loss"]).toBeCloseTo(again["loss"]!, 5);
    const said = await all(predict({ data: [held], model: out }));
    const right = said.filter((p, i) => p.labels[0]!.label === rows(4)[i]!.label).length;
    expect(right / said.length).toBeCloseTo(again["accuracy"]!, 12);
  });
});

test("an adaptation resumes to the same bits", async () => {
  const { out } = common("verified");
  await all(adapt({ ...common("verified"), steps: 8 }));
  expect(await verifyRun({ run: out!, steps: 4 })).toMatchObject({ same: true, kind: "adapt text-classification" });
});

test("an adaptation whose folder was moved goes on in its new place", async () => {
  const options = { ...common("before"), steps: 4 };
  await all(adapt(options));
  const moved = join(folder(), "after");
  await rename(options.out!, moved);
  const events = await all(adapt({ ...options, out: moved, resume: true }));
  expect(events.map((e) => e.type)).toEqual(["started", "stopped"]);
});

test("probabilities sum to one and come likeliest first", async () => {
  const [one] = (await all(predict({ texts: ["a small cat"], model: join(folder(), "full"), top: 2 }))) as [Prediction];
  const [a = 0, b = 0] = one.labels.map((l) => l.probability);
  expect(a + b).toBeCloseTo(1, 5);
  expect(a).toBeGreaterThanOrEqual(b);
});

test("a comparison trains both arms on the same examples, and finds its runs again", async () => {
  const out = join(folder(), "control");
  const options = {
    ...common("control"),
    sizes: [8, 24],
    seeds: 1,
    rates: [5e-3],
    steps: 20,
    evaluateExamples: 8,
    testExamples: 16,
  };
  const first = await all(control(options));
  expect(first.map((e) => e.type)).toEqual(["plan", "tuned", "tuned", "run", "run", "run", "run", "done"]);
  const curve = await readCurve(join(out, "curve.json"));
  expect(curve.runs.map((r) => `${r.arm} ${r.size}`)).toEqual(["adapted 8", "scratch 8", "adapted 24", "scratch 24"]);
  for (const run of curve.runs) {
    expect(run.points.at(-1)!.flops).toBe(run.cost.flops);
    expect(run.cost.examples).toBeGreaterThan(0);
  }
  expect(curve.pretraining).toMatchObject({ name: base });
  const again = await all(control(options));
  expect(again.filter((e) => e.type === "run").every((e) => e.reused)).toBe(true);
});

test("a comparison that is asked to stop says so, and writes no curve", async () => {
  const signal = AbortSignal.abort();
  const options = { ...common("stopped"), sizes: [8], seeds: 1, rates: [5e-3], steps: 20 };
  expect((await all(control(options, { signal }))).at(-1)).toEqual({ type: "interrupted" });
});

async function refusal(work: AsyncIterable<unknown> | Promise<unknown>): Promise<PlinthError> {
  const done = Symbol.asyncIterator in work ? all(work) : work;
  const error = await done.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(PlinthError);
  return error as PlinthError;
}

test("labels that training never saw are an error with their line", async () => {
  const odd = join(folder(), "odd.jsonl");
  await writeFile(odd, `${JSON.stringify({ text: "a large stone", label: "stone" })}\n`);
  const error = await refusal(evaluate({ data: [odd], model: join(folder(), "full") }));
  expect(error.code).toBe("labels");
  expect(error.at).toContain("odd.jsonl:1");
});

test("one label only is an error: there is nothing to tell apart", async () => {
  const same = join(folder(), "same.jsonl");
  await writeFile(
    same,
    Array.from({ length: 40 }, (_, i) => JSON.stringify({ text: `text ${i}`, label: "x" })).join("\n"),
  );
  expect(["labels", "data"]).toContain((await refusal(adapt({ ...common("same"), data: [same] }))).code);
});

test("a model that is no classifier cannot predict", async () => {
  const error = await refusal(predict({ texts: ["a"], model: base }));
  expect([error.code, error.help]).toEqual(["labels", "adapt it first: npx plinth adapt --help"]);
});

test("an unknown option is named, with the nearest one", async () => {
  const error = await refusal(adapt({ ...common("typo"), learningrate: 1 } as AdaptOptions));
  expect(error.message).toContain('there is no option "learningrate"');
  expect(error.help).toContain("learningRate");
});

test("more examples than there are is an error", async () => {
  expect((await refusal(adapt({ ...common("many"), examples: 1e6 }))).code).toBe("config");
});
