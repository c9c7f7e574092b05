/** A public model, from a folder or the hub, checked from end to end and written as a folder of plinth's. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { loadTokenizer } from "../data/index.js";
import { f32, fail, i32, input, nameOf, params, Scope, size, type Tensor, type Type } from "../ir/index.js";
import {
  type AnyFamily,
  familyOf,
  type ModelFolder,
  type ModelSizes,
  matchTypes,
  openModelFolder,
  parametersOf,
  read,
  removeModel,
  sentenceModules,
  storedTypes,
  writeModelFolder,
} from "../models/index.js";
import { poolers, requireFitting, taskHead } from "./base.js";
import { hubFolder, isHubId } from "./hub.js";
import { optionsOf } from "./options.js";

/** What `importModel` takes. */
export const importOptions = z.object({
  model: z
    .string()
    .describe(
      "a public model folder, or an id of the Hugging Face hub: owner/name or an old bare name, with @revision if wanted",
    ),
  out: z.string().optional().describe("folder to write; models/<name> if absent"),
  floats: z.enum(["f32", "f16", "bf16"]).optional().describe("how weights are stored; as they come if absent"),
  replace: z.boolean().default(false).describe("write over a model that is there"),
  cache: z.string().optional().describe("folder of what was downloaded; the one of the hub's own clients if absent"),
  hubUrl: z.string().default("https://huggingface.co").describe("address of the hub, or of a mirror"),
  token: z.string().optional().describe("the hub's access token, for models that only you may read"),
});
export type ImportOptions = z.input<typeof importOptions>;

/** What was imported. */
export interface Imported {
  readonly out: string;
  readonly from: string;
  /** The hub's commit. */
  readonly revision?: string;
  readonly family: string;
  readonly parameters: number;
  /** Whether the head that scores tokens came with it. */
  readonly languageHead: boolean;
  readonly labels?: readonly string[];
  readonly floats: "f32" | "f16" | "bf16";
  readonly tokenizer: { readonly kind: string; readonly vocabSize: number };
  /** How its vectors are made, where its folder says. */
  readonly pooling?: string;
  readonly normalise?: boolean;
  /** The files that were kept beside the weights. */
  readonly files: readonly string[];
}

/**
 * Read a public model, check all of it, and write it as a model folder. Throws `config` for an architecture that plinth does not have,
 * `checkpoint` with everything that is missing, unknown or misshapen, `tokenizer`, `hub` and `disk`.
 */
export async function importModel(
  given: ImportOptions,
  { note }: { readonly note?: (text: string) => void } = {},
): Promise<Imported> {
  const o = optionsOf(importOptions, given);
  const { path, revision } = await placeOf(o, note);
  await using folder = await openModelFolder(path);
  const family = familyOf(folder.config);
  const config = family.fromPublic(folder.config) as ModelSizes;
  const parts = partsOf(folder, { family, config });
  const tokenizer = await loadTokenizer(path);
  requireFitting({ path, tokenizer, config });
  const said = await sentenceModules(folder);
  const out = o.out ?? join("models", basename(existsSync(o.model) ? o.model : o.model.split("@")[0]!));
  requireFree(out, { path, replace: o.replace });
  const floats = o.floats ?? storedFloats(folder);
  const files = { ...(await filesToKeep(folder)), ...said.files };
  const names = await writeModelFolder(out, {
    config: withoutDtype(folder.config),
    types: parts.types,
    value: (name) => folder.read(parts.homes.get(name)!),
    floats,
    ...(folder.labels && { labels: folder.labels }),
    files: files["tokenizer.json"] ? files : { ...files, ...(await tokenizerFile(tokenizer, `${out}.tokenizer`)) },
  });
  await removeModel(out, names);
  return {
    out,
    from: o.model,
    ...(revision !== undefined && { revision }),
    family: family.name,
    parameters: [...parts.types.values()].reduce((sum, { shape }) => sum + size(shape), 0),
    languageHead: parts.languageHead,
    ...(folder.labels && { labels: folder.labels }),
    floats,
    tokenizer: { kind: tokenizer.json.model.type, vocabSize: tokenizer.vocabSize },
    ...(said.pooling && { pooling: said.pooling }),
    ...(said.normalise !== undefined && { normalise: said.normalise }),
    files: Object.keys(files).sort(),
  };
}

/** The folder to read: the one of that name, or the hub's. */
async function placeOf(
  o: z.output<typeof importOptions>,
  note: ((text: string) => void) | undefined,
): Promise<{ path: string; revision?: string }> {
  if (existsSync(o.model)) return { path: o.model };
  const { cache, hubUrl, token } = o;
  if (isHubId(o.model)) return await hubFolder({ id: o.model, cache, hubUrl, token, ...(note && { note }) });
  throw fail(
    "checkpoint",
    `there is no folder ${o.model}`,
    "name a folder, or an id of the hub such as sentence-transformers/all-MiniLM-L6-v2",
  );
}

interface Parts {
  /** Public names and types of what is written. */
  readonly types: ReadonlyMap<string, Type>;
  /** Where each lies, by its name in the folder. */
  readonly homes: ReadonlyMap<string, string>;
  readonly languageHead: boolean;
}

/** The body is needed whole; each head is there whole or not at all. Throws `checkpoint` with everything that is wrong. */
function partsOf(folder: ModelFolder, { family, config }: { family: AnyFamily; config: ModelSizes }): Parts {
  const homes = new Map<string, string>();
  for (const name of folder.tensors.keys()) {
    const graph = family.fromPublicName(name, config);
    if (graph !== undefined) homes.set(graph, name);
  }
  const core = body(family, config);
  const inCore = new Set(core.map(nameOf));
  const head = parametersOf(family, config).filter((t) => !inCore.has(nameOf(t)));
  const there = (part: readonly Tensor[]) => part.some((t) => homes.has(nameOf(t)));
  const pooled = poolers(family, config).filter(there);
  const wanted = new Map([core, ...(there(head) ? [head] : []), ...pooled].flat().map((t) => [nameOf(t), t.type]));
  const found = storedTypes(folder, homes);
  matchTypes(folder.path, wanted, found, { mayHold: (name) => taskHead.test(name) });
  const kept = [...found].filter(([name]) => wanted.has(name) || taskHead.test(name));
  const publicName = (name: string) => (wanted.has(name) ? family.toPublicName(name, config) : name);
  return {
    types: new Map(kept.map(([name, { shape }]) => [publicName(name), f32(shape)])),
    homes: new Map(kept.map(([name]) => [publicName(name), homes.get(name)!])),
    languageHead: head.length === 0 || there(head),
  };
}

/** Parameters that every use of the model has: an encoder–decoder's encoder, else the body. */
function body(family: AnyFamily, config: ModelSizes): Tensor[] {
  return params([read(family, config, { p: new Scope(), ids: input("ids", i32([1, 1])) })]);
}

function requireFree(out: string, { path, replace }: { path: string; replace: boolean }): void {
  if (resolve(out) === resolve(path))
    throw fail("usage", `${out} is the folder that is read`, "write to another one: --out");
  if (!replace && existsSync(join(out, "config.json")))
    throw fail("usage", `there is a model in ${out} already`, "give --replace to write over it, or another --out");
}

/** The narrowest of the types that holds all of the weights. */
function storedFloats({ tensors }: ModelFolder): "f32" | "f16" | "bf16" {
  const kinds = new Set(Array.from(tensors.values(), ({ dtype }) => dtype).filter((dtype) => /^B?F\d/.test(dtype)));
  const [only] = kinds;
  return kinds.size !== 1 ? "f32" : only === "F16" ? "f16" : only === "BF16" ? "bf16" : "f32";
}

/** The file's own word for it goes: the one that is written says what is stored. */
function withoutDtype({ dtype: _, ...config }: ModelFolder["config"]): ModelFolder["config"] {
  return config;
}

const kept =
  /^(tokenizer.*|vocab\.\w+|merges\.txt|spiece\.model|special_tokens_map\.json|added_tokens\.json|chat_template\.\w+|generation_config\.json|README\.md|LICENSE.*)$/;

/** Files that go with the weights. Throws `checkpoint` for one that should be JSON and is not. */
async function filesToKeep(folder: ModelFolder): Promise<Record<string, string | Uint8Array>> {
  const found: Record<string, string | Uint8Array> = {};
  for (const name of (await readdir(folder.path)).sort()) {
    if (!kept.test(name)) continue;
    const bytes = await readFile(join(folder.path, name));
    if (name.endsWith(".json")) requireJson(bytes.toString(), join(folder.path, name));
    found[name] = bytes;
  }
  return found;
}

function requireJson(text: string, at: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw fail("checkpoint", `${at} is damaged: it is not the JSON it should be`, "download or save the model again");
  }
}

/** The tokenizer.json of a tokeniser that came in older files. */
async function tokenizerFile(
  tokenizer: { save(folder: string): Promise<void> },
  staged: string,
): Promise<Record<string, string>> {
  await tokenizer.save(staged);
  try {
    return { "tokenizer.json": await readFile(join(staged, "tokenizer.json"), "utf8") };
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}
