/**
 * The platforms that the native engine is built for, and which of them this one is.
 * Plain JavaScript, so that the scripts which build and pack it read the same table.
 *
 * @typedef {keyof typeof targets} Target
 */

/** By the name that a file and a package carry: as npm selects a package, and as Rust calls it. */
export const targets = {
  "linux-x64-gnu": { os: "linux", cpu: "x64", libc: "glibc", rust: "x86_64-unknown-linux-gnu" },
  "linux-x64-musl": { os: "linux", cpu: "x64", libc: "musl", rust: "x86_64-unknown-linux-musl" },
  "linux-arm64-gnu": { os: "linux", cpu: "arm64", libc: "glibc", rust: "aarch64-unknown-linux-gnu" },
  "linux-arm64-musl": { os: "linux", cpu: "arm64", libc: "musl", rust: "aarch64-unknown-linux-musl" },
  "darwin-x64": { os: "darwin", cpu: "x64", libc: undefined, rust: "x86_64-apple-darwin" },
  "darwin-arm64": { os: "darwin", cpu: "arm64", libc: undefined, rust: "aarch64-apple-darwin" },
  "win32-x64-msvc": { os: "win32", cpu: "x64", libc: undefined, rust: "x86_64-pc-windows-msvc" },
};

/** The C library that this Node runs on; undefined outside Linux. */
function libc() {
  if (process.platform !== "linux") return undefined;
  const report = /** @type {NodeJS.ProcessReport & { excludeNetwork?: boolean }} */ (process.report);
  const before = report.excludeNetwork;
  // the network's part asks name servers, which takes seconds where they do not answer
  report.excludeNetwork = true;
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (report.getReport());
  report.excludeNetwork = before ?? false;
  return header.glibcVersionRuntime ? "glibc" : "musl";
}

/** The one that this process can load, or undefined. @returns {Target | undefined} */
export function hostTarget() {
  const host = { os: process.platform, cpu: process.arch, libc: libc() };
  const fits = Object.entries(targets).find(
    ([, target]) => target.os === host.os && target.cpu === host.cpu && target.libc === host.libc,
  );
  return /** @type {Target | undefined} */ (fits?.[0]);
}

/** The addon's file, built or packed. @param {Target} target */
export const addonFile = (target) => `plinth.${target}.node`;

/** The npm package that carries it. @param {Target} target */
export const addonPackage = (target) => `@plinth/native-${target}`;
