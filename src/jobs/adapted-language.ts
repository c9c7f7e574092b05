/** A language model once it is adapted: scored, merged, held to answer as it was trained, written. */
import { join } from "node:path";
import { type Adaptation, merge, methods, requireSame, saveAdapter } from "../adapt/index.js";
import { i32, input, type Nd, nameOf, nd, type Program, Scope, size, type Tensor } from "../ir/index.js";
import { makeFolder, memoryOf, replaceFile } from "../models/index.js";
import type { Engine, Session, State } from "../runtime/index.js";
import type { ResolvedAdaptLanguage } from "./adapt-language-options.js";
import type { Base } from "./base.js";
import type { Rewrite } from "./language-model.js";
import type { LanguageRun } from "./language-run.js";
import { saveModel } from "./save-model.js";

export type Score = (session: Session) => Promise<Scores>;
export type Scores = Readonly<Record<string, number>>;

/** What it ends with: results.json in the run folder. */
export interface AdaptLanguageResult {
  readonly task: "language-modelling";
  /** Scores on the held-out text: loss, perplexity, accuracy, and bits per byte of a causal model. */
  readonly before: Scores;
  readonly after: Scores;
  readonly trainableParameters: number;
  /** lora: how far the merged model's answers are from the adapted one's, as a share of the largest. */
  readonly parity?: number;
}

/** A base, and how a run adapts it. */
export interface Adapting {
  readonly o: ResolvedAdaptLanguage;
  readonly base: Base;
  readonly run: LanguageRun;
  readonly engine: Engine;
  readonly adaptation: Adaptation;
  /** The base's weights, and their hash. */
  readonly weights: State;
  readonly baseHash: string;
}

/** With the best weights in the session: score, keep the adapter, merge, hold the merged model to the adapted one, write it. */
export async function finish(
  a: Adapting,
  { session, path, score, before }: { session: Session; path: string; score: Score; before: Scores },
): Promise<void> {
  const { o, base, run } = a;
  const after = await score(session);
  const { trainable } = run.learning;
  const merged = methods[o.method].apart ? await mergedWeights(a, session, path) : undefined;
  const result: AdaptLanguageResult = {
    task: "language-modelling",
    before,
    after,
    trainableParameters: trainable.reduce((sum, t) => sum + size(t.shape), 0),
    ...(merged && { parity: merged.parity }),
  };
  const read = async (name: string) => merged?.weights.get(name) ?? (await session.read(name));
  await saveModel({ read }, path, {
    family: base.family,
    config: base.config,
    tokenizer: base.tokenizer,
    parameters: run.weights,
    floats: o.floats,
    begins: base.family.objective === "causal" && o.documents === "isolated",
    card: card(a, result),
  });
  await replaceFile(join(path, "..", "results.json"), `${JSON.stringify(result, null, 2)}\n`);
}

/** Save what was learnt as an adapter; the weights with it merged in, after they were found to answer the same. */
async function mergedWeights(
  a: Adapting,
  session: Session,
  path: string,
): Promise<{ weights: Map<string, Nd>; parity: number }> {
  const { o, run, weights, adaptation, baseHash, engine } = a;
  const learnt = new Map<string, Nd>();
  for (const t of run.learning.trainable) learnt.set(nameOf(t), await session.read(nameOf(t)));
  const { method, rank, alpha = 2 * rank, select } = o;
  const folder = join(path, "..", "adapter");
  await makeFolder(folder);
  const options = { rank, alpha, ...(select && { select }) };
  await saveAdapter(join(folder, "adapter.safetensors"), { base: baseHash, method, options, tensors: learnt });
  const merged = merge(run.weights, adaptation, new Map([...weights, ...learnt]));
  await using plain = await engine.open(merged, { threads: o.threads });
  const feeds = await heldOut(run);
  const before = await session.run(answers(run, feeds, run.rewrite), feeds);
  const after = await plain.run(
    answers(run, feeds, (roots) => roots),
    feeds,
  );
  return { weights: merged, parity: requireSame(before["logits"]!, after["logits"]!) };
}

/** The first row of held-out text, and the places whose answers are compared. */
async function heldOut({ held }: LanguageRun): Promise<Record<string, Nd>> {
  const { feeds } = await held.at(0);
  const rows = Object.entries(feeds).filter(([name]) => fedRows.includes(name));
  const first = rows.map(([name, { shape, data }]): [string, Nd] => {
    const length = shape[1]!;
    return [name, nd("i32", [1, length], Array.from(data as Int32Array).slice(0, length))];
  });
  const length = (feeds["decoderIds"] ?? feeds["ids"]!).shape[1]!;
  const asked = Math.min(64, length);
  const places = nd(
    "i32",
    [asked],
    Array.from({ length: asked }, (_, i) => Math.floor((i * length) / asked)),
  );
  return { ...Object.fromEntries(first), places };
}
const fedRows = ["ids", "segments", "positions", "decoderIds", "decoderSegments"];

/** Scores over the vocabulary at some places of a row. */
function answers(
  { model: { family, config } }: LanguageRun,
  feeds: Readonly<Record<string, Nd>>,
  rewrite: Rewrite,
): Program {
  const p = new Scope();
  const fed = (name: string): Tensor => input(name, i32(feeds[name]!.shape));
  const source = { ids: fed("ids"), segments: fed("segments") };
  const memory = memoryOf(family, config, { p, ...source });
  const x = memory
    ? { ids: fed("decoderIds"), segments: fed("decoderSegments"), memory }
    : { ...source, positions: fed("positions") };
  const rows = family.body(p, x, config).reshape([x.ids.shape[1]!, config.hiddenSize]).gather(fed("places"));
  return { outputs: { logits: rewrite([family.logits(p, rows, config)])[0]! }, next: {} };
}

const card = (
  { o, base }: Adapting,
  { before, after }: AdaptLanguageResult,
): string => `# A ${base.family.name} model adapted by plinth

${base.family.objective} language modelling, adapted from \`${o.base}\` on ${o.data.join(", ")}: ${methods[o.method].summary} (${methods[o.method].paper}).

| score on held-out text | before | after |
| --- | --- | --- |
${Object.keys(after)
  .map((name) => `| ${name} | ${before[name]?.toFixed(4) ?? ""} | ${after[name]!.toFixed(4)} |`)
  .join("\n")}
`;
