/** Writing what was trained as a model folder in the public layout. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Tokenizer } from "../data/index.js";
import { nameOf, type Tensor, type Type } from "../ir/index.js";
import { writeModelFolder } from "../models/index.js";
import type { Session } from "../runtime/index.js";
import type { Model } from "./language-model.js";

export interface SavedModel extends Model {
  readonly tokenizer: Tokenizer;
  /** The parameters to write, by the graph's names. */
  readonly parameters: readonly Tensor[];
  readonly labels?: readonly string[];
  readonly floats?: "f32" | "f16";
  /** The model card. */
  readonly card: string;
  /** More of config.json. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Write a session's weights, tokeniser, config and card. Throws "disk". */
export async function saveModel(session: Session, folder: string, m: SavedModel): Promise<void> {
  const types = new Map(m.parameters.map((t): [string, Type] => [publicName(m, t), t.type]));
  const graph = new Map(m.parameters.map((t): [string, string] => [publicName(m, t), nameOf(t)]));
  const staged = `${folder}.tokenizer-${process.pid}`;
  await m.tokenizer.save(staged);
  try {
    const names = ["tokenizer.json", "tokenizer_config.json"];
    const texts = await Promise.all(names.map((name) => readFile(join(staged, name), "utf8")));
    await writeModelFolder(folder, {
      config: { ...m.family.toPublic(m.config), ...m.extra },
      types,
      value: (name) => session.read(graph.get(name)!),
      files: { ...Object.fromEntries(names.map((name, i) => [name, texts[i]!])), "README.md": m.card },
      ...(m.labels && { labels: m.labels }),
      ...(m.floats && { floats: m.floats }),
    });
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

/** Names of a task's head are public already. */
const publicName = ({ family, config }: Model, t: Tensor): string => family.toPublicName(nameOf(t), config);
