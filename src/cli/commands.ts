/** The commands, each loaded only when it is asked for: `plinth --help` imports none of them. */
export const commands = {
  pretrain: {
    summary: "pre-train a GPT or a BERT on text",
    load: async () => (await import("./pretrain.js")).pretrain,
  },
  tokenize: {
    summary: "train a tokeniser on text, or look at what one makes of it",
    load: async () => (await import("./tokenize.js")).tokenize,
  },
  doctor: {
    summary: "examine data before a run: what is wrong is counted and named",
    load: async () => (await import("./doctor.js")).doctor,
  },
  runs: {
    summary: "list the runs in a folder: what each is, how far it came, its best score",
    load: async () => (await import("./runs.js")).runs,
  },
  info: {
    summary: "what this machine offers: engines and their self-test, cores, memory, measured peak",
    load: async () => (await import("./info.js")).info,
  },
};
