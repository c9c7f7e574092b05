/** A model of the Hugging Face hub as a folder: from the cache that its Python and JavaScript clients share, or downloaded into it. */
import { existsSync } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { getHFHubCachePath, HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { fail, PlinthError } from "../ir/index.js";
import { makeFolder, replaceFile } from "../models/index.js";
import { fetchFile, type HubFile, linkFile, patient } from "./hub-download.js";

export interface HubOptions {
  /** `owner/name`, or `owner/name@revision`. */
  readonly id: string;
  /** The cache; by default where the hub's own clients have theirs. */
  readonly cache?: string | undefined;
  readonly hubUrl: string;
  readonly token?: string | undefined;
  /** What happens, in words, as it happens. */
  readonly note?: (text: string) => void;
  /** Milliseconds without an answer after which the hub counts as out of reach; by default 8 seconds. */
  readonly patience?: number;
}

export interface HubFolder {
  readonly path: string;
  /** The commit. */
  readonly revision: string;
}

const kept =
  /^([^/]+\.json|tokenizer\.model|spiece\.model|merges\.txt|vocab\.txt|chat_template\.jinja|README\.md|LICENSE.*|[^/]+\/config\.json)$/;
const weights = /^model(-\d{5}-of-\d{5})?\.safetensors$/;
const pickles = /\.(bin|pt|pth)$/;

/** Whether a name can be an id of the hub. */
export const isHubId = (name: string): boolean => /^[\w-][\w.-]*(\/[\w-][\w.-]*)?(@[\w./-]+)?$/.test(name);

/**
 * The folder of a model. What the cache has is not downloaded again, what is half there is gone on with, and every file's checksum is
 * compared as it comes. Throws `hub`: no such model, no connection and no copy in the cache, bytes that are not those of the hub.
 */
export async function hubFolder(o: HubOptions): Promise<HubFolder> {
  const [name = "", revision = "main"] = o.id.split("@");
  const cache = o.cache ?? getHFHubCachePath();
  const storage = join(cache, `models--${name.replace("/", "--")}`);
  const hub = { hubUrl: o.hubUrl, fetch: patient(o.patience ?? 8000), ...(o.token && { accessToken: o.token }) };
  let commit: string;
  let files: HubFile[];
  try {
    commit = (await modelInfo({ ...hub, name, revision, additionalFields: ["sha"] })).sha;
    files = await filesOf({ ...hub, name, commit });
  } catch (error) {
    return await withoutHub(error, { o, name, revision, storage });
  }
  const snapshot = join(storage, "snapshots", commit);
  for (const file of files) {
    const path = join(snapshot, file.path);
    if ((await sizeOf(path)) === file.size) continue;
    const blob = join(storage, "blobs", file.etag);
    await makeFolder(dirname(blob));
    await mkdir(dirname(path), { recursive: true });
    if ((await sizeOf(blob)) !== file.size) await fetchFile(blob, file, { hub, name, commit, note: o.note });
    await linkFile(blob, path);
  }
  // last, so that a copy which a name leads to is whole
  if (revision !== commit) {
    await mkdir(dirname(join(storage, "refs", revision)), { recursive: true });
    await replaceFile(join(storage, "refs", revision), commit);
  }
  return { path: snapshot, revision: commit };
}

const sizeOf = async (path: string): Promise<number | undefined> => (await stat(path).catch(() => undefined))?.size;

async function filesOf({
  name,
  commit,
  ...hub
}: {
  name: string;
  commit: string;
  hubUrl: string;
  fetch: typeof fetch;
}): Promise<HubFile[]> {
  const all: HubFile[] = [];
  for await (const { type, path, size, oid, lfs } of listFiles({
    ...hub,
    repo: name,
    revision: commit,
    recursive: true,
  }))
    if (type === "file" && oid)
      all.push({ path, size: lfs?.size ?? size, etag: lfs?.oid ?? oid, sum: lfs ? "sha256" : "git" });
  const single = all.some((file) => file.path === "model.safetensors");
  const wanted = all.filter(
    ({ path }) => kept.test(path) || (weights.test(path) && (!single || path === "model.safetensors")),
  );
  if (wanted.some(({ path }) => weights.test(path))) return wanted;
  const pickled = all.find(({ path }) => pickles.test(path));
  throw fail(
    "hub",
    `${name} has no safetensors weights${pickled ? `, only ${pickled.path}` : ""}`,
    pickled
      ? `a pickle can run any program: if you trust it, convert it: python3 -c "from transformers import AutoModel, AutoTokenizer; [kind.from_pretrained('${name}').save_pretrained('${name}') for kind in (AutoModel, AutoTokenizer)]"; then import the folder ${name}`
      : "name a model with weights",
  );
}

interface Asked {
  readonly o: HubOptions;
  readonly name: string;
  readonly revision: string;
  readonly storage: string;
}

/** The copy in the cache where the hub does not answer. */
async function withoutHub(error: unknown, { o, name, revision, storage }: Asked): Promise<HubFolder> {
  if (error instanceof PlinthError) throw error;
  if (error instanceof HubApiError && error.statusCode < 500) throw refusal(error, name, revision);
  const why = error instanceof HubApiError ? `it answers ${error.statusCode}` : reasonOf(error);
  const commit = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : (await readFile(join(storage, "refs", revision), "utf8").catch(() => "")).trim();
  const path = join(storage, "snapshots", commit);
  if (commit && existsSync(join(path, "config.json"))) {
    o.note?.(`${o.hubUrl} cannot be reached (${why}): taking the copy of ${name} in ${path}`);
    return { path, revision: commit };
  }
  throw fail(
    "hub",
    `${o.hubUrl} cannot be reached (${why}), and the cache has no copy of ${o.id}: looked in ${storage}`,
    "connect to the internet, or copy the model's folder here and name it",
  );
}

function refusal({ statusCode }: HubApiError, name: string, revision: string): PlinthError {
  if (statusCode === 401 || statusCode === 403)
    return fail(
      "hub",
      `the hub does not show ${name} (${statusCode}): it is private, wants its terms accepted, or is not there`,
      "check the spelling; give --token for a model that only you may read",
    );
  return fail(
    "hub",
    `the hub has no model ${name}${revision === "main" ? "" : ` at revision ${revision}`}`,
    "check the spelling at https://huggingface.co/models",
  );
}

/** What a failed fetch says: its cause, if it has one. */
function reasonOf(error: unknown): string {
  const { cause, name, message } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === "TimeoutError" || name === "AbortError") return "no answer";
  return cause?.code ?? cause?.message ?? message;
}
