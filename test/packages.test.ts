/** What a release packs: an addon for every platform that is looked for, in a package that npm installs there and nowhere else. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { loadAddon } from "../src/runtime/native/addon.js";
import { addonFile, addonPackage, hostTarget, targets } from "../src/runtime/native/targets.js";
import { temporary } from "./temporary.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = temporary("plinth-packages-");
const at = (path: string) => join(folder(), path);
const json = (path: string) => JSON.parse(readFileSync(at(path), "utf8"));
const packages = (...words: string[]) =>
  spawnSync(process.execPath, [at("scripts/packages.mjs"), ...words], { encoding: "utf8" });

beforeAll(() => {
  const files = ["package.json", "LICENSE", "scripts/packages.mjs", "src/runtime/native/targets.js"];
  for (const path of files) cpSync(join(root, path), at(path));
});

test("the release builds every platform, by Rust's name for it", () => {
  const { jobs } = parse(readFileSync(join(root, ".github/workflows/release.yml"), "utf8"));
  const built = jobs.native.strategy.matrix.include as { target: string; rust: string }[];
  expect(Object.fromEntries(built.map(({ target, rust }) => [target, rust]))).toEqual(
    Object.fromEntries(Object.entries(targets).map(([target, { rust }]) => [target, rust])),
  );
});

test("a platform's package says where it belongs", () => {
  writeFileSync(at("library"), "library");
  expect(packages("native", "linux-arm64-musl", at("library")).status).toBe(0);
  expect(json("native/npm/linux-arm64-musl/package.json")).toMatchObject({
    name: "@plinth/native-linux-arm64-musl",
    version: json("package.json").version,
    os: ["linux"],
    cpu: ["arm64"],
    libc: ["musl"],
    main: "plinth.linux-arm64-musl.node",
  });
  expect(packages("native", "sparc", at("library"))).toMatchObject({ status: 2 });
});

test("plinth's own package names each of them, of its own version", () => {
  expect(packages("main").status).toBe(0);
  const { optionalDependencies, version } = json("package.json");
  expect(Object.keys(optionalDependencies)).toHaveLength(Object.keys(targets).length);
  expect(optionalDependencies["@plinth/native-win32-x64-msvc"]).toBe(version);
});

const host = hostTarget()!;
const built = join(root, "native", addonFile(host));
test.skipIf(!existsSync(built))("what is packed here is what an installation loads", () => {
  packages("native", host, built);
  const installed = at(`node_modules/${addonPackage(host)}`);
  mkdirSync(installed, { recursive: true });
  cpSync(at(`native/npm/${host}`), installed, { recursive: true });
  expect(loadAddon(folder())).toMatchObject({ why: addonPackage(host), addon: expect.anything() });
});
