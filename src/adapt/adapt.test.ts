import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type Exact,
  evaluate,
  exact,
  f32,
  input,
  type Nd,
  nameOf,
  nd,
  param,
  params,
  type Tensor,
  trainable,
  u32,
} from "../ir/index.js";
import { initialise, normal } from "../nn/index.js";
import { dropout } from "../ops/index.js";
import { adamw, training } from "../optim/index.js";
import {
  type Adapter,
  adapt,
  freeze,
  frontier,
  full,
  hashWeights,
  head,
  loadAdapter,
  methods,
  saveAdapter,
  withAdapter,
} from "./index.js";

const x = input("x", f32([5, 4]));
const labels = input("y", f32([5, 3]));
function model({ rate = 0 } = {}) {
  const body = x
    .matmul(param("body.weight", [4, 8], normal(0.5)))
    .add(param("body.bias", [8], normal(0.5)))
    .tanh();
  const noisy = rate ? dropout(body, input("seed", u32([])), { rate, stream: 1 }) : body;
  const y = noisy.matmul(param("classifier.weight", [8, 3], normal(0.5)));
  return { y, sum: y.sub(labels).square().sum(), count: input("count", f32([])) };
}
const feeds = new Map<string, Nd>([
  [
    "x",
    nd(
      "f32",
      [5, 4],
      Array.from({ length: 20 }, (_, i) => Math.sin(i)),
    ),
  ],
  [
    "y",
    nd(
      "f32",
      [5, 3],
      Array.from({ length: 15 }, (_, i) => Math.cos(i)),
    ),
  ],
  ["count", nd("f32", [], 5)],
]);
const value = (roots: readonly Tensor[], state: ReadonlyMap<string, Nd>) =>
  evaluate(roots, new Map([...state, ...feeds].map(([n, v]): [string, Exact] => [n, exact(v)])));
const learning = (t: Tensor) => trainable([t]).map(nameOf);

test("full, frozen and head-only say what learns, and leave the value and the given graph alone", () => {
  const { sum } = model();
  const state = initialise(params([sum]), 1);
  const only = adapt(
    [sum],
    head((name) => name === "classifier.weight"),
  )[0]!;
  const [all, none] = [adapt([sum], full)[0]!, adapt([sum], freeze)[0]!];
  expect(learning(all)).toEqual(["body.weight", "body.bias", "classifier.weight"]);
  expect(learning(only)).toEqual(["classifier.weight"]);
  expect(learning(none)).toEqual([]);
  expect(learning(sum)).toHaveLength(3);
  const values = value([sum, all, only, none], state).map(({ data }) => data[0]);
  expect(new Set(values).size).toBe(1);
});

test("two leaves of one name become one expression", () => {
  const leaf = () => param("w", [2], normal(1));
  let made = 0;
  const [y] = adapt([leaf().add(leaf())], (w) => {
    made++;
    return w.mul(2);
  });
  expect(made).toBe(1);
  expect(y!.inputs[0]).toBe(y!.inputs[1]);
});

test("a frozen body's features are computed once, and the head trains on them as on the whole graph", () => {
  const { sum, count, y } = model();
  const adaptation = methods.head.adaptation([y], { head: ["classifier"] });
  const roots = adapt([sum, count, y], adaptation);
  const cut = frontier(roots);
  expect(params(Object.values(cut.features.outputs)).map(nameOf)).toEqual(["body.weight", "body.bias"]);
  expect(params(cut.roots).map(nameOf)).toEqual(["classifier.weight"]);

  const state = initialise(params(roots), 3);
  const [feature] = value([cut.features.outputs["feature.0"]!], state);
  expect(feature!.shape).toEqual([5, 8]);
  const steps = [roots, cut.roots].map(([s, c]) => training({ sum: s!, count: c! }, adamw()));
  const start = new Map([
    ...state,
    ...steps[0]!.state,
    ["learningRate", nd("f32", [], 0.1)],
    ["step", nd("f32", [], 1)],
  ] as [string, Nd][]);
  const whole = value(Object.values(steps[0]!.step.next), start);
  const exacts = new Map([...start, ...feeds].map(([n, v]): [string, Exact] => [n, exact(v)]));
  const apart = evaluate(Object.values(steps[1]!.step.next), exacts.set("feature.0", feature!));
  expect(Object.keys(steps[1]!.step.next)).toEqual(Object.keys(steps[0]!.step.next));
  expect(apart).toEqual(whole);
});

test("where nothing is frozen there are no features, and random ones are refused", () => {
  const { sum } = model();
  expect(frontier([sum]).features.outputs).toEqual({});
  expect(frontier([sum]).roots).toEqual([sum]);
  const random = adapt(
    [model({ rate: 0.5 }).sum],
    head((name) => name === "classifier.weight"),
  );
  expect(() => frontier(random)).toThrow("features cannot be kept: they depend on the random seed seed");
});

test("a hash of weights depends on names, shapes and values, and not on their order", () => {
  const [a, b] = [nd("f32", [2], [1, 2]), nd("f32", [2], [3, 4])];
  const hash = (entries: [string, Nd][]) => hashWeights(new Map(entries));
  expect(
    hash([
      ["a", a],
      ["b", b],
    ]),
  ).toMatch(/^[0-9a-f]{64}$/);
  expect(
    hash([
      ["b", b],
      ["a", a],
    ]),
  ).toBe(
    hash([
      ["a", a],
      ["b", b],
    ]),
  );
  const others = [
    hash([
      ["a", b],
      ["b", a],
    ]),
    hash([
      ["a", a],
      ["c", b],
    ]),
    hash([
      ["a", a],
      ["b", { ...b, shape: [2, 1] }],
    ]),
    hash([["a", a]]),
  ];
  expect(
    new Set([
      ...others,
      hash([
        ["a", a],
        ["b", b],
      ]),
    ]).size,
  ).toBe(5);
});

test("an adapter is saved alone and belongs to its base", async () => {
  const folder = await mkdtemp(join(tmpdir(), "plinth-adapter-"));
  const path = join(folder, "adapter.safetensors");
  try {
    const base = initialise(params([model().sum]), 4);
    const tensors = new Map([["classifier.weight", nd("f32", [8, 3], 0.5)]]);
    const adapter: Adapter = {
      base: hashWeights(base),
      method: "lora",
      options: { rank: 2, select: ["body"] },
      tensors,
    };
    await saveAdapter(path, adapter);
    const loaded = await loadAdapter(path);
    expect(loaded).toEqual(adapter);
    expect(withAdapter(base, loaded).get("classifier.weight")!.data[0]).toBe(0.5);

    const other = initialise(params([model().sum]), 5);
    expect(() => withAdapter(other, loaded)).toThrow(
      /^this lora adapter belongs to the base [0-9a-f]{12}…, not to [0-9a-f]{12}…\n {2}help: name the base/,
    );
    const bytes = await readFile(path);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(path, bytes);
    await expect(loadAdapter(path)).rejects.toThrow("damaged");
  } finally {
    await rm(folder, { recursive: true });
  }
});
