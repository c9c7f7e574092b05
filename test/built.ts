/** Test programs that run in a process of their own, on what `npm run build` made. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Translate files of this folder into `folder`, their imports of the sources turned to the build; returns the first one's path. */
export function built(folder: string, ...files: readonly string[]): string {
  const dist = new URL("../dist/", import.meta.url);
  if (!existsSync(new URL("train/index.js", dist))) throw new Error("no build in dist/: run `npm run build` first");
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const paths = files.map((file) => {
    const { outputText } = ts.transpileModule(readFileSync(here(file), "utf8"), { compilerOptions: options });
    const path = join(folder, basename(file).replace(/\.ts$/, ".mjs"));
    const linked = outputText.replace(/"\.\.\/src\//g, `"${dist.href}`).replace(/"\.\/([\w-]+)\.js"/g, '"./$1.mjs"');
    writeFileSync(path, linked);
    return path;
  });
  return paths[0]!;
}
