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
  const built = spawnSync(process.execPath, [compiler, "-p", at("tsconfig.build.json")], { stdio: ["ignore", 2, 2] });
  if (built.status !== 0) stop("could not be built: see the messages above, then run `npm run build`");
}
const { main } = await import("../dist/cli/index.js");
process.exit(await main(process.argv.slice(2)));
