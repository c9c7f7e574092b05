/**
 * The npm packages of a release: one for each platform with the native engine's addon, and plinth itself, which names them.
 *
 *     node scripts/packages.mjs native <target> <library that cargo built>    writes native/npm/<target>
 *     node scripts/packages.mjs main                                          adds them to package.json as optional dependencies
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addonFile, addonPackage, targets } from "../src/runtime/native/targets.js";

/** @typedef {import("../src/runtime/native/targets.js").Target} Target */

const root = fileURLToPath(new URL("..", import.meta.url));
const main = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const names = /** @type {Target[]} */ (Object.keys(targets));
/** @param {string} path @param {object} value */
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/** @param {Target} target @param {string} library */
function writeNative(target, library) {
  const { os, cpu, libc } = targets[target];
  const { version, license, engines } = main;
  const folder = join(root, "native", "npm", target);
  mkdirSync(folder, { recursive: true });
  copyFileSync(library, join(folder, addonFile(target)));
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  writeJson(join(folder, "package.json"), {
    name: addonPackage(target),
    version,
    description: `The native engine of plinth for ${target}`,
    license,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    main: addonFile(target),
    files: [addonFile(target)],
  });
}

const [kind, target, library] = process.argv.slice(2);
if (kind === "native" && names.some((name) => name === target) && library) {
  writeNative(/** @type {Target} */ (target), library);
} else if (kind === "main" && !target) {
  const optionalDependencies = Object.fromEntries(names.map((name) => [addonPackage(name), main.version]));
  writeJson(join(root, "package.json"), { ...main, optionalDependencies });
} else {
  console.error(`usage: packages.mjs native <${names.join(" | ")}> <library>, or packages.mjs main`);
  process.exit(2);
}
