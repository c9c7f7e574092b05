/** Every way plinth refuses: one catalogue of codes, one error class. */
export const codes = {
  shape: "sizes or ranks do not fit together",
  dtype: "an element type does not fit",
  attribute: "an option of an op or a layer is out of range",
  scalar: "a gradient was asked of something that is not one number",
  path: "a parameter name is declared twice or missing",
  feed: "a program was run without a value, or with one of the wrong type",
  engine: "an engine is missing, failed to load, or cannot run a program",
  config: "an option or a configuration file is wrong",
  usage: "the command line is wrong",
  source: "a data file is missing, unreadable, empty or of an unknown kind",
  data: "an example in a data file is wrong",
  tokenizer: "a tokeniser is missing, broken, or does not fit the model",
  overflow: "examples are longer than the model's context",
  labels: "labels are missing, unknown, or leave nothing to learn",
  leakage: "the same example is on both sides of a split",
  checkpoint: "a checkpoint or weights file is truncated, foreign or does not fit",
  base: "an adapter does not belong to this base model",
  parity: "a merged, quantised or exported model answers differently",
  target: "a selection of parameters matches nothing",
  "non-finite": "a loss, gradient or weight is not a finite number",
  "no-gradient": "a trainable parameter gets no gradient or does not move",
  disk: "the disk is full or may not be written",
  hub: "a model of the hub cannot be reached, found or trusted",
  memory: "the run would not fit in memory",
  onnx: "a program cannot be said as an ONNX model",
  run: "a run folder is missing, incomplete, locked or belongs to another run",
  internal: "plinth itself is wrong: please report it",
} as const;
export type Code = keyof typeof codes;

/** What went wrong, where, and what to do about it. */
export class PlinthError extends Error {
  constructor(
    readonly code: Code,
    readonly what: string,
    readonly help?: string,
    readonly at?: string,
  ) {
    super([what, at && `  at ${at}`, help && `  help: ${help}`].filter(Boolean).join("\n"));
    this.name = "PlinthError";
  }
}

/** `throw fail("shape", "what is wrong, with the numbers", "what to do", "where")`. */
export const fail = (code: Code, what: string, help?: string, at?: string): PlinthError =>
  new PlinthError(code, what, help, at);
