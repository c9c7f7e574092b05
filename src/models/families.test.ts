import { expect, test } from "vitest";
import { type Exact, evaluate, exact, i32, input, nameOf, nd, params, Scope } from "../ir/index.js";
import { initialise } from "../nn/index.js";
import { type AnyFamily, families, gptConfig, parameterCount, parametersOf, presetNamed } from "./index.js";

const { gpt, llama, bert } = families;
const tiny = { vocabSize: 7, contextLength: 6, layers: 1, heads: 2, hiddenSize: 8 };

test("weight decay applies to matrices: not to norms, not to biases", () => {
  const spared = (family: AnyFamily, config: object) =>
    parametersOf(family, config as never)
      .filter((t) => family.decays(nameOf(t)) !== t.shape.length > 1)
      .map(nameOf);
  for (const family of Object.values<AnyFamily>(families)) {
    expect(spared(family, family.config.parse(tiny))).toEqual([]);
    expect(family.decays("classifier.weight")).toBe(true);
    expect(family.decays("classifier.bias")).toBe(false);
  }
  expect(spared(gpt, gptConfig.parse({ ...tiny, norm: "rmsNorm", activation: "swiglu", tied: false }))).toEqual([]);
});

test("tied embeddings are one parameter, free ones two", () => {
  const names = (tied: boolean) => parametersOf(gpt, gptConfig.parse({ ...tiny, tied })).map(nameOf);
  expect(names(true)).not.toContain("lm_head.weight");
  expect(names(false)).toContain("lm_head.weight");
  const p = new Scope();
  const ids = input("ids", i32([1, 2]));
  const config = gptConfig.parse(tiny);
  const logits = gpt.logits(p, gpt.body(p, { ids }, config).reshape([2, 8]), config);
  expect(params([logits]).filter((t) => nameOf(t) === "wte.weight")).toHaveLength(1);
});

test("rotary positions know distances only: moved together, all logits stay", () => {
  const run = (positions: "rotary" | "learned", shift: number) => {
    const config = gptConfig.parse({ ...tiny, positions, initialDeviation: 0.5 });
    const p = new Scope();
    const x = { ids: input("ids", i32([1, 3])), positions: input("positions", i32([1, 3])) };
    const logits = gpt.logits(p, gpt.body(p, x, config).reshape([3, 8]), config);
    const fed = { ids: nd("i32", [1, 3], [1, 2, 3]), positions: nd("i32", [1, 3], [shift, 1 + shift, 2 + shift]) };
    const all = [...initialise(params([logits]), 1), ...Object.entries(fed)];
    return evaluate([logits], new Map(all.map(([name, value]): [string, Exact] => [name, exact(value)])))[0]!.data;
  };
  const far = (positions: "rotary" | "learned") => {
    const moved = run(positions, 3);
    return Math.max(...run(positions, 0).map((x, i) => Math.abs(x - moved[i]!)));
  };
  expect(far("rotary")).toBeLessThan(1e-10);
  expect(far("learned")).toBeGreaterThan(0.01);
});

test("a SwiGLU block has about as many weights as a GELU block", () => {
  const count = (activation: "gelu" | "swiglu") =>
    parameterCount(gpt, gptConfig.parse({ ...tiny, hiddenSize: 192, layers: 4, activation }));
  expect(count("swiglu") / count("gelu")).toBeCloseTo(1, 2);
});

test("a variant that GPT-2's format cannot say has a model_type of its own, and comes back", () => {
  const config = gptConfig.parse({ ...tiny, positions: "rotary", activation: "swiglu", norm: "rmsNorm", tied: false });
  const json = gpt.toPublic(config);
  expect(json["model_type"]).toBe("plinth-gpt");
  expect(gpt.recognises(json)).toBe(true);
  expect(gpt.fromPublic(json)).toEqual(config);
});

test("what cannot be built is refused, with what to do", () => {
  const ids = input("ids", i32([1, 7]));
  for (const family of Object.values<AnyFamily>(families))
    expect(() => family.body(new Scope(), { ids }, family.config.parse(tiny))).toThrow(/7 tokens in a context of 6/);
  expect(() => gpt.body(new Scope(), { ids }, gptConfig.parse(tiny))).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: 7 tokens in a context of 6
      help: use shorter rows or a longer contextLength]
  `);
  expect(() => presetNamed("gpt-3")).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: there is no preset "gpt-3"
      help: did you mean gpt-3m? one of: gpt-0.3m, gpt-1m, gpt-3m, gpt-12m, gpt-34m, gpt2, modern-3m, llama-0.3m, llama-3m, smollm2-135m, qwen3-0.6b, llama-3.2-1b, bert-1m, bert-tiny, bert-4m, minilm, bert-base, roberta-base, distilbert, t5-1m, t5-4m, t5-small, t5-base, flan-t5-small, flan-t5-base, bart-1m, bart-base, bart-large]
  `);
  expect(gptConfig.safeParse({ ...tiny, heads: 3 }).error!.issues[0]!.message).toMatchInlineSnapshot(
    `"hiddenSize must be a multiple of heads"`,
  );
  expect(gptConfig.safeParse({ ...tiny, width: 3 }).error!.issues[0]!.message).toMatchInlineSnapshot(
    `"Unrecognized key: "width""`,
  );
  expect(presetNamed("bert-tiny").config).toBe(bert.presets["bert-tiny"]);
});

test("what a task keeps in config.json is not taken for the model's own options", () => {
  const task = { task: "text-classification", pooling: "last", contextLength: 3 };
  const rotary = gptConfig.parse({ ...tiny, positions: "rotary" });
  const windowed = llama.config.parse({ ...tiny, window: 2, mlpBias: true });
  const cases = [
    [gpt, gptConfig.parse(tiny)],
    [gpt, rotary],
    [llama, windowed],
    [bert, bert.config.parse(tiny)],
  ] as [AnyFamily, object][];
  for (const [family, config] of cases) {
    const json = family.toPublic(config);
    expect(family.fromPublic({ ...json, plinth: { ...(json["plinth"] as object), ...task } })).toEqual(config);
  }
});
