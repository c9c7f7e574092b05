import { expect, test } from "vitest";
import { families, familyOf, parameterCount } from "./index.js";

const { bert } = families;
const tiny = { vocabSize: 40, contextLength: 8, layers: 1, heads: 2, hiddenSize: 8 };
const parse = (more: object) => bert.config.parse({ ...tiny, ...more });
const roberta = parse({ layout: "roberta", tokenTypes: 1, epsilon: 1e-5 });
const distilbert = parse({ layout: "distilbert", tokenTypes: 0, activation: "relu" });

test("published configs load, with the numbers of parameters that transformers counts", () => {
  const sizes = { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072 };
  const published = {
    "roberta-base": {
      ...{ model_type: "roberta", ...sizes, vocab_size: 50_265, max_position_embeddings: 514, type_vocab_size: 1 },
      ...{ layer_norm_eps: 1e-5, hidden_act: "gelu", pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 },
    },
    "xlm-roberta-base": {
      ...{ model_type: "xlm-roberta", ...sizes, vocab_size: 250_002, max_position_embeddings: 514, type_vocab_size: 1 },
      ...{ layer_norm_eps: 1e-5, hidden_act: "gelu", pad_token_id: 1, position_embedding_type: "absolute" },
    },
    "distilbert-base-uncased": {
      ...{ model_type: "distilbert", vocab_size: 30_522, max_position_embeddings: 512, dim: 768, hidden_dim: 3072 },
      ...{ n_heads: 12, n_layers: 6, activation: "gelu", sinusoidal_pos_embds: false, tie_weights_: true },
    },
  };
  const counts = Object.entries(published).map(([name, json]) => {
    expect(familyOf(json)).toBe(bert);
    const config = bert.fromPublic(json);
    expect(config.contextLength).toBe(512);
    expect(bert.toPublic(config)["model_type"]).toBe(json.model_type);
    expect(bert.fromPublic(bert.toPublic(config))).toEqual(config);
    return `${name}: ${parameterCount(bert, config)}`;
  });
  expect(counts).toMatchInlineSnapshot(`
    [
      "roberta-base: 124697433",
      "xlm-roberta-base: 278295186",
      "distilbert-base-uncased: 66985530",
    ]
  `);
});

test("a padding id other than RoBERTa's moves the first position, and comes back", () => {
  const json = { ...bert.toPublic(roberta), pad_token_id: 4, max_position_embeddings: 13 };
  const config = bert.fromPublic(json);
  expect(config).toEqual({ ...roberta, positionOffset: 5 });
  expect(bert.toPublic(config)).toEqual(json);
  expect(bert.toPublic(roberta)).toMatchObject({ pad_token_id: 1, max_position_embeddings: 10 });
});

test("names of bare bodies, old files and each layout's heads are read, and what is no parameter is not", () => {
  const layer = "encoder.layer.0.attention.self.query.weight";
  expect(bert.fromPublicName(layer, roberta)).toBe(`bert.${layer}`);
  expect(bert.fromPublicName(`roberta.${layer}`, roberta)).toBe(`bert.${layer}`);
  expect(bert.fromPublicName("transformer.layer.0.attention.q_lin.weight", distilbert)).toBe(`bert.${layer}`);
  expect(bert.toPublicName("cls.predictions.bias", distilbert)).toBe("vocab_projector.bias");
  expect(bert.toPublicName("cls.predictions.bias", roberta)).toBe("lm_head.bias");
  for (const name of ["lm_head.decoder.weight", "lm_head.decoder.bias", "roberta.embeddings.position_ids"])
    expect(bert.fromPublicName(name, roberta), name).toBeUndefined();
  for (const name of ["pooler.dense.weight", "embeddings.token_type_ids"])
    expect(bert.fromPublicName(name, roberta), name).toBeUndefined();
  expect(bert.fromPublicName("vocab_projector.weight", distilbert)).toBeUndefined();
  expect(bert.fromPublicName("pre_classifier.weight", distilbert)).toBe("pre_classifier.weight");
  expect(bert.fromPublicName("classifier.out_proj.weight", roberta)).toBe("classifier.out_proj.weight");
});

test("what a layout cannot say is refused", () => {
  const said = (more: object) => bert.config.safeParse({ ...tiny, ...more }).error?.issues[0]?.message;
  expect(said({ layout: "distilbert" })).toBe("DistilBERT's files can only say tokenTypes 0 and epsilon 1e-12");
  expect(said({ positionOffset: 2 })).toBe("only RoBERTa's position table begins with rows that no token has");
  expect(() => bert.fromPublic({ ...bert.toPublic(roberta), tie_word_embeddings: false })).toThrow(
    "config.json: tie_word_embeddings false is not supported\n  help: supported: true",
  );
  expect(() => bert.fromPublic({ ...bert.toPublic(distilbert), activation: "silu" })).toThrow(
    'config.json: activation "silu" is not supported',
  );
});
