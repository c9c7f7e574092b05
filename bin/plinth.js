#!/usr/bin/env node
/** The `plinth` command: checks Node's version, builds a fresh checkout once, and hands over to the command line. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const stop = (message) => {
  console.error(`plinth: ${message}`);
  process.exit(2);
};

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  stop(`needs Node 20.19 or newer, this is ${process.versions.node}`);
}
if (!existsSync(at("dist/cli/index.js"))) {
  const compiler = at("node_modules/typescript/bin/tsc");
  if (!existsSync(compiler)) stop("is not built: run `npm ci`, then `npm run build`");
  console.error("plinth: building once (`npm run build`)");
  const run = (...words) => spawnSync(process.execPath, words, { stdio: ["ignore", 2, 2] }).status;
  if (run(compiler, "-p", at("tsconfig.build.json")) !== 0) {
    stop("could not be built: see the messages above, then run `npm run build`");
  }
  run(at("scripts/build-native.mjs"));
}
const { main } = await import("../dist/cli/index.js");
process.exit(await main(process.argv.slice(2)));
