/** A model folder as the ecosystem knows it: config.json, model.safetensors (in shards when large), tokeniser files, a model card. */
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { fail, type Nd, PlinthError, type Type } from "../ir/index.js";
import { inside, makeFolder, requireSpace, stage, syncFolder, writeAll, writing } from "./durable.js";
import type { PublicConfig } from "./family.js";
import { openSafetensors, type SafetensorsFile, type StoredTensor, safetensorsBytes, writeTo } from "./safetensors.js";
import type { Piece, Room } from "./safetensors-pieces.js";

/** What a model folder is made of. */
export interface ModelFolderContent {
  /** config.json, apart from labels and element type. */
  readonly config: PublicConfig;
  /** Weights by public name, brought one at a time. */
  readonly types: ReadonlyMap<string, Type>;
  value(name: string): Nd | Promise<Nd>;
  /** Store float weights in this type; by default as they come. */
  readonly floats?: "f32" | "f16" | "bf16";
  /** What a classifier's outputs mean, in their order. */
  readonly labels?: readonly string[];
  /** Other files by name, such as tokenizer.json and README.md (the model card). */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Weights above this many bytes are split into files of at most that size; 5 GB by default. */
  readonly shardBytes?: number;
}

const single = "model.safetensors";
const index = "model.safetensors.index.json";
const torchNames = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/**
 * Write a model folder. Every file is written under a temporary name and synced before the first is renamed, so what is stopped
 * half-way leaves the old model whole. Returns the files' names. Throws code disk.
 */
export async function writeModelFolder(path: string, content: ModelFolderContent): Promise<readonly string[]> {
  const { types, value, floats, shardBytes = 5e9, files = {} } = content;
  await makeFolder(path);
  await requireSpace(path, safetensorsBytes(types.values(), floats), "the model");
  const shards = split(types, shardBytes, floats);
  const names = shards.map((_, i) => (shards.length === 1 ? single : shardName(i, shards.length)));
  const texts: Record<string, string | Uint8Array> = { "config.json": configText(content), ...files };
  if (shards.length > 1) texts[index] = indexText(shards, names, safetensorsBytes(types.values(), floats));
  const staged: [temporary: string, final: string][] = [];
  try {
    for (const [i, shard] of shards.entries()) {
      const parts = { types: shard, value, metadata: { format: "pt" }, ...(floats && { floats }) };
      const final = join(path, names[i]!);
      staged.push([await stage(final, (file) => writeTo(file, parts)), final]);
    }
    for (const [name, text] of Object.entries(texts)) {
      const final = inside(path, name);
      await makeFolder(dirname(final));
      const bytes = typeof text === "string" ? Buffer.from(text) : text;
      staged.push([await stage(final, (file) => writeAll(file, bytes)), final]);
    }
  } catch (error) {
    for (const [temporary] of staged) await rm(temporary, { force: true });
    throw error;
  }
  const now = new Set([...names, ...Object.keys(texts)]);
  await writing(path, async () => {
    for (const [temporary, final] of staged) await rename(temporary, final);
    for (const name of await readdir(path)) if (isWeights(name) && !now.has(name)) await rm(join(path, name));
  });
  await syncFolder(path);
  return [...now];
}

/** Files that tell of a model beside its weights: of another one they would be wrong. */
const beside =
  /^((modules|sentence_bert_config|config_sentence_transformers|generation_config|special_tokens_map|vocab)\.json|chat_template\.jinja|(tokenizer|spiece)\.model|(vocab|merges)\.txt|\d+_[A-Z]\w+|onnx)$/;

/** Takes what a folder holds of an older model away, but for the files named. Throws code disk. */
export async function removeModel(path: string, except: Iterable<string> = []): Promise<void> {
  const kept = new Set([...except].map((name) => name.split("/")[0]!));
  await writing(path, async () => {
    for (const name of await readdir(path))
      if ((isWeights(name) || beside.test(name)) && !kept.has(name)) await rm(join(path, name), { recursive: true });
  });
}

const shardName = (i: number, of: number) =>
  `model-${`${i + 1}`.padStart(5, "0")}-of-${`${of}`.padStart(5, "0")}.safetensors`;
/** Whether a file of a model folder holds weights, or says in which files they are. */
export const isWeights = (name: string): boolean => /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name);
const text = (json: unknown) => `${JSON.stringify(json, null, 2)}\n`;

function split(types: ReadonlyMap<string, Type>, most: number, floats?: "f32" | "f16" | "bf16"): Map<string, Type>[] {
  const shards = [new Map<string, Type>()];
  let bytes = 0;
  for (const [name, type] of types) {
    const more = safetensorsBytes([type], floats);
    if (bytes && bytes + more > most) {
      shards.push(new Map());
      bytes = 0;
    }
    shards.at(-1)!.set(name, type);
    bytes += more;
  }
  return shards;
}

const indexText = (shards: readonly Map<string, Type>[], names: readonly string[], total: number): string =>
  text({
    metadata: { total_size: total },
    weight_map: Object.fromEntries(shards.flatMap((shard, i) => [...shard.keys()].map((name) => [name, names[i]]))),
  });

function configText({ config, labels, floats = "f32" }: ModelFolderContent): string {
  const map = labels && {
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  };
  return text({ ...config, torch_dtype: torchNames[floats], ...map });
}

/** An open model folder: its config and the names of its weights are known, the weights are read on demand. */
export interface ModelFolder extends AsyncDisposable {
  readonly path: string;
  readonly config: PublicConfig;
  /** What a classifier's outputs mean, where the folder says. */
  readonly labels?: readonly string[];
  /** Stored weights by public name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** One weight; floats as f32. */
  read(name: string): Promise<Nd>;
  /** One weight in pieces along its first axis; floats as f32. Each is valid until the next one is asked for. */
  pieces(name: string, room: Room): AsyncGenerator<Piece>;
  /** Another file's text, or undefined where it is absent. */
  text(name: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Open a model folder. Throws code checkpoint when it holds no model, or one that is truncated, foreign or inconsistent. */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const config = await jsonIn(path, "config.json", z.record(z.string(), z.unknown()));
  const labels = labelsIn(config, join(path, "config.json"));
  const files = await weightFiles(path);
  const homes = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, StoredTensor>();
  for (const file of files)
    for (const [name, stored] of file.tensors) {
      homes.set(name, file);
      tensors.set(name, stored);
    }
  const close = async () => {
    for (const file of files) await file.close();
  };
  const homeOf = (name: string) => {
    const home = homes.get(name);
    if (!home) throw fail("checkpoint", `${path} has no weight ${name}`, "name another model", name);
    return home;
  };
  const read = (name: string) => homeOf(name).read(name, { floats: "f32" });
  const pieces = (name: string, room: Room) => homeOf(name).pieces(name, room);
  const content = { path, config, tensors, read, pieces, text: (name: string) => textIn(path, name), close };
  return { ...content, ...(labels && { labels }), [Symbol.asyncDispose]: close };
}

/** The command that makes safetensors of pickles, which are programs: plinth runs none of a file's. */
function conversion(path: string, pickled: readonly string[]): string {
  const weights = pickled.filter((name) => name.startsWith("pytorch_model"));
  const files = (weights.length ? weights : pickled).map((name) => `'${join(path, name)}'`).join(", ");
  const read = `{k: v.clone().contiguous() for f in [${files}] for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}`;
  return `convert the pickle: python3 -c "import torch; from safetensors.torch import save_file; save_file(${read}, '${join(path, single)}', metadata={'format': 'pt'})"`;
}

async function weightFiles(path: string): Promise<SafetensorsFile[]> {
  const names = await readdir(path);
  if (names.includes(single)) return [await openSafetensors(join(path, single))];
  if (!names.includes(index)) {
    const pickled = names.filter((name) => /\.(bin|pt|pth)$/.test(name));
    throw fail(
      "checkpoint",
      `${path} has no ${single}${pickled.length ? `, only ${pickled.slice(0, 3).join(", ")}` : ""}`,
      pickled.length ? conversion(path, pickled) : "name a model folder",
    );
  }
  const { weight_map: map } = await jsonIn(path, index, z.object({ weight_map: z.record(z.string(), z.string()) }));
  const files: SafetensorsFile[] = [];
  try {
    for (const name of new Set(Object.values(map))) files.push(await openSafetensors(inside(path, name)));
    const held = new Set(files.flatMap((file) => [...file.tensors.keys()]));
    const missing = Object.keys(map).filter((name) => !held.has(name));
    if (missing.length)
      throw fail(
        "checkpoint",
        `${join(path, index)} names weights that no file holds: ${missing.slice(0, 6).join(", ")}`,
        again,
      );
    return files;
  } catch (error) {
    for (const file of files) await file.close();
    throw error;
  }
}
const again = "download or save the model again";

const textIn = (path: string, name: string): Promise<string | undefined> =>
  readFile(inside(path, name), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw fail("checkpoint", `cannot read ${join(path, name)}: ${error.message}`, "name a model folder");
  });

async function jsonIn<T>(path: string, name: string, schema: z.ZodType<T>): Promise<T> {
  const file = join(path, name);
  const found = await textIn(path, name);
  if (found === undefined)
    throw fail(
      "checkpoint",
      `${path} is not a model folder: it has no ${name}`,
      "name a folder that a model was saved in",
    );
  try {
    return schema.parse(JSON.parse(found));
  } catch (error) {
    if (error instanceof PlinthError) throw error;
    throw fail("checkpoint", `${file} is damaged: it is not the JSON it should be`, again);
  }
}

function labelsIn(config: PublicConfig, file: string): string[] | undefined {
  if (config["id2label"] === undefined) return undefined;
  const map = z.record(z.string(), z.string()).safeParse(config["id2label"]);
  const labels = map.success ? Object.keys(map.data).map((_, i) => map.data[i]) : [undefined];
  if (labels.some((label) => label === undefined))
    throw fail("checkpoint", `${file}: id2label does not number its labels 0, 1, 2, …`, again);
  return labels as string[];
}
