/** The files of an export beside its ONNX models: config, tokeniser, weights, and what sentence-transformers reads. */
import { copyFile, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail, type Nd, nameOf, type Tensor } from "../ir/index.js";
import {
  isWeights,
  loadWeights,
  makeFolder,
  openModelFolder,
  type Pooling,
  replaceFile,
  type SentenceModules,
  sentenceModules,
} from "../models/index.js";
import type { Base } from "./base.js";
import type { ExportTask } from "./portable.js";
import { textsBegin } from "./save-model.js";

/** Files of a model folder that are copied as they are. */
const carried =
  /^(special_tokens_map\.json|added_tokens\.json|generation_config\.json|chat_template\.(jinja|json)|vocab\.(txt|json)|merges\.txt|spiece\.model|tokenizer\.model|README\.md)$/;

export interface FolderOptions {
  readonly base: Base;
  readonly task: ExportTask;
  readonly pooling: Pooling;
  /** What was asked for, in place of what the model was trained with. */
  readonly asked?: Pooling | undefined;
}

type Json = Readonly<Record<string, unknown>>;
const put = (folder: string, name: string, json: unknown) =>
  replaceFile(join(folder, name), `${JSON.stringify(json, null, 2)}\n`);

/** config.json, tokeniser, template and generation config: what every format needs. Throws `disk`, `tokenizer`. */
export async function writeCommon(folder: string, o: FolderOptions): Promise<void> {
  const { base } = o;
  await makeFolder(folder);
  for (const name of await readdir(base.path))
    if (carried.test(name)) await copyFile(join(base.path, name), join(folder, name));
  await put(folder, "config.json", configOf(o));
  await writeTokenizer(folder, o);
  const ends = endsOf(base);
  if (o.task.includes("generation") && !(await text(join(folder, "generation_config.json"))))
    await put(folder, "generation_config.json", { ...ends });
}

/** Weights for Python's transformers, as they are stored. */
export async function writeTransformers(folder: string, { base }: FolderOptions): Promise<void> {
  for (const name of await readdir(base.path))
    if (isWeights(name)) await copyFile(join(base.path, name), join(folder, name));
}

/** The modules that make one vector of a text. */
export async function writeSentenceTransformers(
  folder: string,
  { base, pooling, asked }: FolderOptions,
): Promise<void> {
  const { hiddenSize, contextLength } = base.config;
  const known = await modulesOf(base);
  if (known.files["modules.json"] && (asked ?? known.pooling) === known.pooling) {
    for (const [name, content] of Object.entries(known.files)) {
      await makeFolder(dirname(join(folder, name)));
      await replaceFile(join(folder, name), content);
    }
    return;
  }
  const { normalise = true, maxLength = contextLength, lowerCase } = known;
  const modules = [
    ["", "Transformer"],
    ["1_Pooling", "Pooling"],
    ...(normalise ? [["2_Normalize", "Normalize"]] : []),
  ] as const;
  await put(
    folder,
    "modules.json",
    modules.map(([path, type], idx) => ({ idx, name: `${idx}`, path, type: `sentence_transformers.models.${type}` })),
  );
  await makeFolder(join(folder, "1_Pooling"));
  await put(folder, join("1_Pooling", "config.json"), {
    word_embedding_dimension: hiddenSize,
    pooling_mode_cls_token: pooling === "cls",
    pooling_mode_mean_tokens: pooling === "mean",
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
    pooling_mode_lasttoken: pooling === "last",
  });
  await put(folder, "sentence_bert_config.json", { max_seq_length: maxLength, do_lower_case: lowerCase });
}

/** What sentence-transformers' files of the model's folder say. Throws `config` and `checkpoint` as `sentenceModules` does. */
async function modulesOf(base: Base): Promise<SentenceModules> {
  await using folder = await openModelFolder(base.path);
  return await sentenceModules(folder);
}

/** What a model was trained to pool by: as plinth noted, or sentence-transformers' files say. */
export async function poolingOf(base: Base): Promise<Pooling | undefined> {
  const noted = (base.json["plinth"] as { pooling?: Pooling } | undefined)?.pooling;
  const { pooling } = await modulesOf(base);
  // the largest numbers of a text's vectors: no head reads them, and the files go along as they are
  return noted ?? (pooling === "max" ? undefined : pooling);
}

const heads: Readonly<Partial<Record<ExportTask, string>>> = {
  "feature-extraction": "Model",
  "text-classification": "ForSequenceClassification",
  "token-classification": "ForTokenClassification",
  "question-answering": "ForQuestionAnswering",
};

/** The name of a class of transformers, such as BertForTokenClassification. */
function architecture({ base, task }: FolderOptions): string {
  const [own = ""] = (base.json["architectures"] ?? base.family.toPublic(base.config)["architectures"]) as string[];
  const head = heads[task];
  return head ? `${own.replace(/(For[A-Z]\w*|LMHeadModel|Model)$/, "")}${head}` : own;
}

function configOf(o: FolderOptions): Json {
  const { _name_or_path: _, ...config } = o.base.json;
  return { ...config, architectures: [architecture(o)], ...(o.task.includes("generation") && endsOf(o.base)) };
}

/** Ids that begin, end and fill up texts, where the folder says nothing of them. */
function endsOf({ tokenizer, json }: Base): Json {
  const { bos, eos, pad } = tokenizer.special;
  const known = { bos_token_id: bos ?? eos, eos_token_id: eos, pad_token_id: pad ?? eos };
  const said = Object.entries(known).map(([key, id]) => [key, json[key] ?? id] as const);
  const start = json["decoder_start_token_id"];
  return Object.fromEntries(
    [...said, ["decoder_start_token_id", start]].filter(([, id]) => id !== undefined && id !== null),
  );
}

/** tokenizer.json and its config, with what a text begins with in training said in the way that every reader knows. */
async function writeTokenizer(folder: string, { base, task }: FolderOptions): Promise<void> {
  const staged = join(folder, ".tokenizer");
  await base.tokenizer.save(staged);
  const made = (await json(join(staged, "tokenizer_config.json"))) ?? {};
  await rm(staged, { recursive: true, force: true });
  const own = await json(join(base.path, "tokenizer_config.json"));
  const begins = base.family.objective === "causal" && (task !== "text-generation" || (await textsBegin(base.path)));
  await put(folder, "tokenizer.json", begins ? begun(base) : base.tokenizer.json);
  await put(folder, "tokenizer_config.json", { model_max_length: base.config.contextLength, ...made, ...own });
}

/** The tokeniser, with the token that begins a text put before it; as it is where it does that already. */
function begun({ tokenizer }: Base): Json {
  const { bos, eos } = tokenizer.special;
  const id = bos ?? eos;
  const { post_processor: old, ...rest } = tokenizer.json as unknown as Json;
  if (id === undefined || JSON.stringify(old ?? null).includes("TemplateProcessing"))
    return { ...rest, post_processor: old };
  const token = tokenizer.token(id)!;
  const special = { SpecialToken: { id: token, type_id: 0 } };
  const own = (name: "A" | "B") => ({ Sequence: { id: name, type_id: 0 } });
  const template = {
    type: "TemplateProcessing",
    single: [special, own("A")],
    pair: [special, own("A"), special, own("B")],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
  return { ...rest, post_processor: old ? { type: "Sequence", processors: [old, template] } : template };
}

/** Throws `config` where Python's transformers would read something else than what was trained. */
export function requirePublic({ base, task, pooling }: FolderOptions): void {
  const type = base.family.toPublic(base.config)["model_type"];
  if (`${type}`.startsWith("plinth"))
    throw fail(
      "config",
      `transformers has no model like this one: its model_type ${type} is plinth's own`,
      "export with --format onnx",
    );
  if (task !== "text-classification") return;
  if (base.family.objective !== "masked")
    throw fail(
      "config",
      `transformers' classifiers of family ${base.family.name} have another head than plinth's`,
      "export with --format onnx, which holds the head too",
    );
  if (pooling !== "cls")
    throw fail(
      "config",
      `transformers' classifiers read the first token, this one was trained on ${pooling} pooling`,
      "export with --format onnx, which holds the pooling too, or adapt with --pooling cls",
    );
}

/** Throws `config` where sentence-transformers has no modules like the model. */
export function requireSentences({ base }: FolderOptions): void {
  if (base.family.objective === "seq2seq")
    throw fail(
      "config",
      `sentence-transformers reads no ${base.family.name} model that plinth writes`,
      "export with --format transformers",
    );
}

/** Values of the parameters; other weights of the folder, such as a head that the task has no use for, are left out. */
export async function weightsOf(
  { path, family, config }: Pick<Base, "path" | "family" | "config">,
  wanted: readonly Tensor[],
): Promise<Map<string, Nd>> {
  await using folder = await openModelFolder(path);
  const types = new Map(wanted.map((t) => [nameOf(t), t.type]));
  const rename = (name: string) => [family.fromPublicName(name, config), name].find((one) => one && types.has(one));
  return await loadWeights(folder, types, { rename });
}

const text = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined);
async function json(path: string): Promise<Json | undefined> {
  const found = await text(path);
  if (found === undefined) return undefined;
  try {
    return JSON.parse(found) as Json;
  } catch {
    throw fail("checkpoint", "this file is not JSON", "download or save the model again", path);
  }
}
