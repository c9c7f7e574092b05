import { cp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { commit, serveHub } from "../../test/hub-server.js";
import { temporary } from "../../test/temporary.js";
import { writeTiny } from "../../test/tiny-model.js";
import { families } from "../models/index.js";
import { type HubOptions, hubFolder, isHubId } from "./hub.js";
import { importModel } from "./import-model.js";

const folder = temporary("plinth-hub-");
const at = (name: string) => join(folder(), name);
const id = "owner/tiny";
const shape = { contextLength: 24, layers: 1, heads: 2, hiddenSize: 16 };

beforeAll(async () => {
  await writeTiny(at("source"), { family: families.bert, shape, texts: ["a cat sees a dog in the house"] });
  await writeFile(at("source/pytorch_model.bin"), "not asked for");
  await writeFile(at("source/generation_config.json"), "{}");
});
const getting = (hubUrl: string, cache: string, o: Partial<HubOptions> = {}) =>
  hubFolder({ id, hubUrl, cache: at(cache), ...o });
const weights = (path: string) => readFile(join(path, "model.safetensors"));

test("a model is downloaded into the cache that the hub's own clients share, and the next time taken from there", async () => {
  await using hub = await serveHub(at("source"), id);
  const { path, revision } = await getting(hub.url, "fresh");
  expect(revision).toBe(commit);
  expect(path).toBe(at(`fresh/models--owner--tiny/snapshots/${commit}`));
  expect(await readFile(at("fresh/models--owner--tiny/refs/main"), "utf8")).toBe(commit);
  expect(Buffer.compare(await weights(path), await weights(at("source")))).toBe(0);
  expect([...hub.asked].sort()).toEqual([
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  hub.asked.length = 0;
  await getting(hub.url, "fresh", { id: `${id}@${commit}` });
  expect(hub.asked).toEqual([]);
});

test("a download that is cut off goes on where it was, in the same run and in the next", async () => {
  await using hub = await serveHub(at("source"), id);
  hub.cut = { after: 5000, times: 1 };
  const { path } = await getting(hub.url, "resumed");
  expect(hub.asked.filter((name) => name.startsWith("model"))).toEqual([
    "model.safetensors",
    "model.safetensors from 5000",
  ]);
  expect(Buffer.compare(await weights(path), await weights(at("source")))).toBe(0);

  hub.asked.length = 0;
  hub.cut = { after: 3000, times: 3 };
  const notes: string[] = [];
  const bytes = (await stat(at("source/model.safetensors"))).size;
  await expect(getting(hub.url, "stopped", { note: (text) => notes.push(text) })).rejects.toThrow(
    `the download of owner/tiny model.safetensors ended after 9000 of ${bytes} bytes`,
  );
  expect(notes.some((text) => text.startsWith("downloading owner/tiny model.safetensors"))).toBe(true);
  const { path: whole } = await getting(hub.url, "stopped");
  expect(hub.asked.at(-1)).not.toBe("model.safetensors");
  expect(hub.asked).toContain("model.safetensors from 9000");
  expect(Buffer.compare(await weights(whole), await weights(at("source")))).toBe(0);
});

test("bytes with another checksum are refused and removed", async () => {
  await using hub = await serveHub(at("source"), id);
  hub.spoilt = true;
  await expect(getting(hub.url, "spoilt")).rejects.toThrow(
    "owner/tiny model.safetensors came with another checksum than the hub announces: ",
  );
  hub.spoilt = false;
  const { path } = await getting(hub.url, "spoilt");
  expect(Buffer.compare(await weights(path), await weights(at("source")))).toBe(0);
});

test("without a connection the copy in the cache is taken, and said; without a copy it is said at once where it was looked for", async () => {
  const hub = await serveHub(at("source"), id);
  await getting(hub.url, "kept");
  await hub[Symbol.asyncDispose]();
  const notes: string[] = [];
  const { path } = await getting(hub.url, "kept", { note: (text) => notes.push(text) });
  expect(notes).toHaveLength(1);
  expect(notes[0]).toContain(`${hub.url} cannot be reached`);
  expect(notes[0]).toContain(`: taking the copy of ${id} in ${path}`);
  await expect(getting(hub.url, "none")).rejects.toThrow(
    `${hub.url} cannot be reached (ECONNREFUSED), and the cache has no copy of ${id}: looked in ${at("none/models--owner--tiny")}`,
  );
});

test("a hub that does not answer is not waited for", async () => {
  await using hub = await serveHub(at("source"), id);
  hub.silent = true;
  const from = performance.now();
  await expect(getting(hub.url, "silent", { patience: 200 })).rejects.toThrow("cannot be reached (no answer)");
  expect(performance.now() - from).toBeLessThan(5000);
});

test("a model that is not there, is not shown, or has no safetensors is refused", async () => {
  await using hub = await serveHub(at("source"), id);
  await expect(getting(hub.url, "x", { id: "owner/other" })).rejects.toThrow("the hub has no model owner/other");
  await expect(getting(hub.url, "x", { id: `${id}@v9` })).rejects.toThrow(
    "the hub has no model owner/tiny at revision v9",
  );
  await expect(getting(hub.url, "x", { id: "owner/secret" })).rejects.toThrow(
    "the hub does not show owner/secret (401): it is private, wants its terms accepted, or is not there",
  );
  hub.lost = "config.json";
  await expect(getting(hub.url, "x")).rejects.toThrow("owner/tiny has no file config.json");
  await cp(at("source"), at("pickled"), { recursive: true });
  await rm(at("pickled/model.safetensors"));
  await using other = await serveHub(at("pickled"), id);
  await expect(getting(other.url, "x")).rejects.toThrow(
    "owner/tiny has no safetensors weights, only pytorch_model.bin",
  );
});

test("an id of the hub is imported like a folder", async () => {
  await using hub = await serveHub(at("source"), id);
  const imported = await importModel({ model: id, hubUrl: hub.url, cache: at("import"), out: at("imported") });
  expect(imported).toMatchObject({ from: id, revision: commit, family: "bert", languageHead: true });
  expect(isHubId("sentence-transformers/all-MiniLM-L6-v2@main")).toBe(true);
  expect(isHubId("gpt2")).toBe(true);
  expect(isHubId("../models/mine")).toBe(false);
  await expect(importModel({ model: "../nowhere" })).rejects.toThrow("there is no folder ../nowhere");
});
