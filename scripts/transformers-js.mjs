/**
 * Installs transformers.js for test/transformers-js.test.ts, apart from plinth's own packages: `node scripts/transformers-js.mjs`. It uses
 * the ONNX Runtime that is there; the one for browsers and the reader of images are left out.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const version = "4.3.2";
const home = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "plinth-test", "transformers-js");
const packages = fileURLToPath(new URL("../node_modules", import.meta.url));
const own = ["onnxruntime-node", "onnxruntime-common"];
// a package of a few lines in the place of what is not used
const nothing = "npm:fastest-levenshtein@1.0.16";
const manifest = JSON.stringify({
  private: true,
  dependencies: {
    "@huggingface/transformers": version,
    "@huggingface/jinja": "0.5.11",
    "@huggingface/tokenizers": "0.2.0",
    ...Object.fromEntries(own.map((name) => [name, nothing])),
  },
  overrides: {
    "onnxruntime-web": nothing,
    sharp: nothing,
    ...Object.fromEntries(own.map((name) => [name, `$${name}`])),
  },
});

const file = join(home, "package.json");
if (!existsSync(file) || readFileSync(file, "utf8") !== manifest) {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  writeFileSync(file, manifest);
  try {
    execFileSync(npm, ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: home, stdio: "inherit" });
  } catch (error) {
    // half an installation must not look like a whole one
    rmSync(file, { force: true });
    throw error;
  }
}
for (const name of own) {
  const place = join(home, "node_modules", name);
  rmSync(place, { recursive: true, force: true });
  symlinkSync(join(packages, name), place, "junction");
}
console.log(`transformers.js ${version} is in ${home}`);
