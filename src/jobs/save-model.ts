/** Writing what was trained as a model folder in the public layout. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Tokenizer } from "../data/index.js";
import { fail, nameOf, type Tensor, type Type } from "../ir/index.js";
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
  /** Whether texts began with the end-of-text token in training: those that are written on must begin so too. */
  readonly begins?: boolean;
  /** What the task keeps under `plinth` in config.json. */
  readonly plinth?: Readonly<Record<string, unknown>>;
}

/** Write weights as a session holds them, with tokeniser, config and card. Throws "disk". */
export async function saveModel(session: Pick<Session, "read">, folder: string, m: SavedModel): Promise<void> {
  const types = new Map(m.parameters.map((t): [string, Type] => [publicName(m, t), t.type]));
  const graph = new Map(m.parameters.map((t): [string, string] => [publicName(m, t), nameOf(t)]));
  const staged = `${folder}.tokenizer-${process.pid}`;
  await m.tokenizer.save(staged);
  try {
    const names = ["tokenizer.json", "tokenizer_config.json"];
    const texts = await Promise.all(names.map((name) => readFile(join(staged, name), "utf8")));
    if (m.begins) texts[1] = `${JSON.stringify({ ...JSON.parse(texts[1]!), [beginsKey]: true }, null, 2)}\n`;
    const config = m.family.toPublic(m.config);
    // a variant that the public layout cannot say stands there too
    const plinth = { ...(config["plinth"] as object | undefined), ...m.plinth };
    await writeModelFolder(folder, {
      config: { ...config, ...ends(m), ...(Object.keys(plinth).length > 0 && { plinth }) },
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

/** The key of tokenizer_config.json that says whether a text begins with the end-of-text token. */
const beginsKey = "add_bos_token";

/** Whether a model folder's texts begin with the end-of-text token. */
export async function textsBegin(folder: string): Promise<boolean> {
  const config = await readFile(join(folder, "tokenizer_config.json"), "utf8").catch(() => "{}");
  try {
    return (JSON.parse(config) as Record<string, unknown>)[beginsKey] === true;
  } catch {
    throw fail("tokenizer", "this file is not JSON", "save the model again", join(folder, "tokenizer_config.json"));
  }
}

/** Where a causal model's texts begin and end: without it, other programs take GPT-2's own id. */
function ends({ family, tokenizer }: SavedModel): Record<string, number> {
  const { bos, eos } = tokenizer.special;
  if (family.objective !== "causal" || eos === undefined) return {};
  return { bos_token_id: bos ?? eos, eos_token_id: eos };
}

/** Names of a task's head are public already. */
const publicName = ({ family, config }: Model, t: Tensor): string => family.toPublicName(nameOf(t), config);
