/** The commands, each loaded only when it is asked for: `plinth --help` imports none of them. */
export const commands = {
  quickstart: {
    summary: "pre-train, adapt, compare with from scratch and report, in a few minutes",
    load: async () => (await import("./quickstart.js")).quickstart,
  },
  pretrain: {
    summary: "pre-train a GPT, a BERT or a T5 on text",
    load: async () => (await import("./pretrain.js")).pretrain,
  },
  import: {
    summary: "read a public model, from a folder or the Hugging Face hub, and check all of it",
    load: async () => (await import("./import.js")).importing,
  },
  adapt: {
    summary: "adapt a pre-trained model to your labelled texts, with its from-scratch control if asked",
    load: async () => (await import("./adapt.js")).adapt,
  },
  evaluate: {
    summary: "score a trained model on held-out data",
    load: async () => (await import("./evaluate.js")).evaluate,
  },
  predict: {
    summary: "classify texts with an adapted model",
    load: async () => (await import("./predict.js")).predict,
  },
  generate: {
    summary: "let a causal model write on from a prompt",
    load: async () => (await import("./generate.js")).generate,
  },
  embed: {
    summary: "vectors of texts, and which texts are nearest to a question",
    load: async () => (await import("./embed.js")).embed,
  },
  fill: {
    summary: "the likeliest words for the gaps of a text",
    load: async () => (await import("./fill.js")).fill,
  },
  export: {
    summary: "write a model for Python's transformers, sentence-transformers, and transformers.js",
    load: async () => (await import("./export.js")).exporting,
  },
  compare: {
    summary: "runs side by side: what they reached, what they cost, in what they differ",
    load: async () => (await import("./compare.js")).compare,
  },
  tokenize: {
    summary: "train a tokeniser on text, or look at what one makes of it",
    load: async () => (await import("./tokenize.js")).tokenize,
  },
  doctor: {
    summary: "examine data before a run: what is wrong is counted and named",
    load: async () => (await import("./doctor.js")).doctor,
  },
  models: {
    summary: "list the named sizes of models, or what the size dial derives",
    load: async () => (await import("./models.js")).models,
  },
  profile: {
    summary: "where a training step spends its time, by op and by line, and what holds its memory",
    load: async () => (await import("./profile.js")).profile,
  },
  runs: {
    summary: "list the runs in a folder: what each is, how far it came, its best score",
    load: async () => (await import("./runs.js")).runs,
  },
  "verify-resume": {
    summary: "prove that a run can be stopped and resumed without changing a bit",
    load: async () => (await import("./verify-resume.js")).verifyResume,
  },
  info: {
    summary: "what this machine offers: engines and their self-test, cores, memory, measured peak",
    load: async () => (await import("./info.js")).info,
  },
};
