/** Imports point one way: each folder may import those before it, only by their index, and never in a circle. */
const layers = [
  "ir",
  "ops",
  "grad",
  "passes",
  "onnx",
  "runtime",
  "nn",
  "optim",
  "models",
  "adapt",
  "data",
  "tasks",
  "train",
  "evaluate",
  "serve",
  "jobs",
  "cli",
];

const upward = layers.slice(1).map((layer, i) => ({
  name: `${layers[i]} before ${layer}`,
  comment: `src/${layers[i]} may only import the layers before it; types are free`,
  severity: "error",
  from: { path: `^src/${layers[i]}/`, pathNot: "\\.test\\.ts$" },
  to: { path: `^src/(${layers.slice(i + 1).join("|")})/`, dependencyTypesNot: ["type-only"] },
}));

module.exports = {
  forbidden: [
    ...upward,
    {
      name: "no cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "a folder by its index",
      comment: "outside a folder only its index.ts is imported, so that a folder can change inside",
      severity: "error",
      from: { path: "^src/([^/]+)/", pathNot: "\\.test\\.ts$" },
      to: { path: "^src/([^/]+)/", pathNot: ["^src/$1/", "^src/[^/]+/index\\.ts$"] },
    },
    {
      name: "the package by the folders' indexes",
      severity: "error",
      from: { path: "^src/[^/]+\\.ts$" },
      to: { path: "^src/[^/]+/", pathNot: "^src/[^/]+/index\\.ts$" },
    },
    {
      name: "only what is installed",
      severity: "error",
      from: { path: "^src" },
      to: { couldNotResolve: true },
    },
    {
      name: "no development package at run time",
      severity: "error",
      from: { path: "^src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
