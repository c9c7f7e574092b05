/** A trained model to start from: a model folder, a run that has one, or the one that travels with plinth. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadTokenizer, type Tokenizer } from "../data/index.js";
import { f32, fail, i32, input, type Nd, nameOf, params, Scope, type Tensor } from "../ir/index.js";
import {
  type AnyFamily,
  familyOf,
  loadWeights,
  type ModelSizes,
  openModelFolder,
  type PublicConfig,
  parametersOf,
  streamWeights,
} from "../models/index.js";
import type { Engine, Session, SessionOptions } from "../runtime/index.js";
import type { Model } from "./language-model.js";

export interface Base extends Model {
  /** The model folder. */
  readonly path: string;
  readonly tokenizer: Tokenizer;
  /** The content of config.json. */
  readonly json: PublicConfig;
  /** What a classifier's outputs mean, where the folder is one. */
  readonly labels: readonly string[] | undefined;
  /** Values of `wanted` parameters. Throws `checkpoint`, listing all that is missing or does not fit. */
  weights(wanted: readonly Tensor[]): Promise<Map<string, Nd>>;
  /** A session that holds `wanted`, read a piece at a time: there is no second copy of them. Throws as `weights`. */
  open(engine: Engine, wanted: readonly Tensor[], options?: SessionOptions): Promise<Session>;
}

/** The folder that a name or a path means. Throws `checkpoint` when there is no model. */
function modelPath(given: string): string {
  const shipped = fileURLToPath(new URL(`../../models/${given}`, import.meta.url));
  const places = [given, join(given, "model"), ...(/^[\w-]+$/.test(given) ? [shipped] : [])];
  const found = places.find((path) => existsSync(join(path, "config.json")));
  if (found) return found;
  throw fail(
    "checkpoint",
    `there is no model at ${given}`,
    "name a model folder, a run that finished, or plinth-tiny-en, which travels with plinth",
  );
}

/** Open a model: its family, config and tokeniser; weights are read when asked for. */
export async function openBase(given: string): Promise<Base> {
  const path = modelPath(given);
  await using folder = await openModelFolder(path);
  const family = familyOf(folder.config);
  const config = family.fromPublic(folder.config);
  const tokenizer = await loadTokenizer(path);
  requireFitting({ path, tokenizer, config });
  return {
    path,
    family,
    config,
    tokenizer,
    json: folder.config,
    labels: folder.labels,
    async weights(wanted) {
      await using again = await openModelFolder(path);
      return await loadWeights(again, typesOf(wanted), { rename: renaming(family, config, wanted) });
    },
    async open(engine, wanted, options) {
      await using again = await openModelFolder(path);
      const session = await engine.open(new Map(), options);
      try {
        for (const { name, type, pieces } of streamWeights(again, typesOf(wanted), {
          rename: renaming(family, config, wanted),
        }))
          await session.fill(name, type, pieces());
        return session;
      } catch (error) {
        await session[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

/** Throws `tokenizer` when there are more pieces than the model's embedding has rows. */
export function requireFitting({
  path,
  tokenizer,
  config,
}: {
  path: string;
  tokenizer: Tokenizer;
  config: ModelSizes;
}): void {
  if (tokenizer.vocabSize > config.vocabSize)
    throw fail(
      "tokenizer",
      `the tokeniser has ${tokenizer.vocabSize} entries, the model's embedding ${config.vocabSize} rows`,
      "use the tokeniser that the model was trained with",
      path,
    );
}

const typesOf = (wanted: readonly Tensor[]) => new Map(wanted.map((t) => [nameOf(t), t.type]));

/**
 * The graph's names for those of a public checkpoint, apart from weights that are known and not wanted: a body may be read without the
 * language-model head, the pooler or the task's head that its folder holds.
 */
function renaming(family: AnyFamily, config: ModelSizes, wanted: readonly Tensor[]) {
  const names = new Set(wanted.map(nameOf));
  const known = new Set([...parametersOf(family, config), ...poolers(family, config).flat(), ...wanted].map(nameOf));
  return (name: string): string | undefined => {
    const graph = family.fromPublicName(name, config) ?? (names.has(name) ? name : undefined);
    if (graph === undefined || names.has(graph)) return graph;
    return known.has(graph) || taskHead.test(graph) ? undefined : graph;
  };
}

/** Linear maps that public checkpoints of one task put on a body. */
export const taskHead = /^(classifier|score|qa_outputs)\./;

/** Parameters that each of the family's ways of pooling has. */
export function poolers(family: AnyFamily, config: ModelSizes): Tensor[][] {
  const hidden = input("hidden", f32([1, 1, config.hiddenSize]));
  const segments = input("segments", i32([1, 1]));
  return family.poolings.map((pooling) => params([family.pooled(new Scope(), hidden, { segments, pooling }, config)]));
}
