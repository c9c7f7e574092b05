/** Where the native engine's library is looked for, and what is said where it is not, or is another's. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { temporary } from "../../../test/temporary.js";
import { loadAddon } from "./addon.js";
import { addonFile, addonPackage, hostTarget } from "./targets.js";

const target = hostTarget()!;
const built = fileURLToPath(new URL(`../../../native/${addonFile(target)}`, import.meta.url));

const folder = temporary("plinth-addon-");
let count = 0;
let root = "";
beforeEach(() => {
  root = join(folder(), `${count++}`);
  write("package.json", JSON.stringify({ version: "9.9.9" }));
});

function write(path: string, content: string): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), content);
}
const why = (): string => loadAddon(root).why.replaceAll(root, "").replaceAll(target, "<target>");

test("a checkout without it is told to build, an installation to install", () => {
  expect(why()).toBe("not installed: run `npm install @plinth/native-<target>@9.9.9`");
  write("native/Cargo.toml", "");
  expect(why()).toBe("not built: install a Rust toolchain (rustup), then run `npm run build`");
});

test("a file that is no library is named, with what the system says", () => {
  write(`native/${addonFile(target)}`, "no library");
  expect(why()).toMatch(/^does not load: .+: delete \/native\/plinth\.<target>\.node and run `npm run build`$/s);
});

test("the platform's package is loaded where there is no build", () => {
  const packed = `node_modules/${addonPackage(target)}`;
  write(`${packed}/package.json`, JSON.stringify({ main: addonFile(target) }));
  write(`${packed}/${addonFile(target)}`, "no library");
  expect(why()).toMatch(/^does not load: .+: run `npm install @plinth\/native-<target>@9\.9\.9`$/s);
});

test.skipIf(!existsSync(built))("a library of another version is refused", () => {
  const { version } = JSON.parse(readFileSync(join(built, "../../package.json"), "utf8")) as { version: string };
  mkdirSync(join(root, "native"));
  copyFileSync(built, join(root, "native", addonFile(target)));
  expect(why()).toContain(`built for plinth ${version}, this is 9.9.9: `);
  expect(loadAddon()).toMatchObject({ why: "built here" });
});

test("the crate has the package's version, by which a library is known", () => {
  const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  const { version } = JSON.parse(text("package.json")) as { version: string };
  expect(/^version = "(.+)"$/m.exec(text("native/Cargo.toml"))?.[1]).toBe(version);
});
