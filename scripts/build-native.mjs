/**
 * Builds the native engine where Rust is found, and says in one line what came of it. An installation never fails for it: without
 * a build, the ONNX Runtime engine runs. `npm run build` calls this; a build newer than every source is kept.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { addonFile, hostTarget } from "../src/runtime/native/targets.js";

const folder = fileURLToPath(new URL("../native", import.meta.url));

/** When the youngest source was written. */
function sourcesChanged() {
  const sources = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" }).map((name) => `src/${name}`);
  const times = ["Cargo.toml", "Cargo.lock", "build.rs", ".cargo/config.toml", ...sources].map(
    (name) => statSync(join(folder, name)).mtimeMs,
  );
  return Math.max(...times);
}

/**
 * What went wrong, in the first lines that say so.
 * @param {string} text what cargo printed
 */
function complaint(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const first = lines.findIndex((line) => line.startsWith("error"));
  return lines.slice(Math.max(first, 0)).slice(0, 3).join("\n  ");
}

/**
 * Builds; why that failed in a word and at length, or undefined.
 * @param {string} file where the addon goes
 * @returns {[string, string?] | undefined}
 */
function build(file) {
  const installed = join(process.env["CARGO_HOME"] ?? join(homedir(), ".cargo"), "bin");
  const options = ["--release", "--locked", "--target-dir", "target", "--message-format", "json-render-diagnostics"];
  const { status, error, stdout, stderr } = spawnSync("cargo", ["build", ...options], {
    cwd: folder,
    // without a network cargo gives up sooner
    env: { CARGO_NET_RETRY: "1", ...process.env, PATH: `${process.env["PATH"] ?? ""}${delimiter}${installed}` },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (/** @type {NodeJS.ErrnoException | undefined} */ (error)?.code === "ENOENT") return ["no Rust toolchain"];
  if (error) return ["cargo did not run", error.message];
  if (status !== 0) return ["cargo build failed", complaint(stderr)];
  const built = /"([^"]*plinth_native\.(?:so|dylib|dll))"/.exec(stdout);
  if (!built) return ["cargo built no library"];
  // renamed into place: a process that has the old one loaded keeps it whole
  copyFileSync(JSON.parse(`"${built[1]}"`), `${file}.new`);
  renameSync(`${file}.new`, file);
  return undefined;
}

/** @param {string} reason @param {string} [details] */
const without = (reason, details) =>
  console.log(
    `native engine not built (${reason}): the ONNX Runtime engine will be used${details ? `\n  ${details}` : ""}`,
  );

/** @param {string} file */
function bringUpToDate(file) {
  if (existsSync(file) && statSync(file).mtimeMs >= sourcesChanged()) return;
  const began = performance.now();
  if (process.stdout.isTTY) process.stdout.write("building the native engine, which takes a minute or two …\r");
  const problem = build(file);
  if (process.stdout.isTTY) process.stdout.write("\x1b[2K");
  if (problem) {
    // what an older source gave is no engine for the programs of this one
    rmSync(file, { force: true });
    without(...problem);
  } else {
    console.log(`native engine built in ${Math.ceil((performance.now() - began) / 1000)} s`);
  }
}

try {
  const target = hostTarget();
  if (target) bringUpToDate(join(folder, addonFile(target)));
  else without(`not meant for ${process.platform}-${process.arch}`);
} catch (error) {
  without("an error on the way", String(error));
}
