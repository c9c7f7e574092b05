/** What the doctor looks for: one check an entry, each turning what was counted into findings. */
import type { Chart, DoctorOptions, Finding } from "./doctor.js";

type Check = (charts: readonly Chart[], o: DoctorOptions) => Finding[];
type Severity = Finding["severity"];

const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const are = (n: number, what: string) => (n === 1 ? `1 ${what} is` : `${n} ${what}s are`);
const have = (n: number, what: string) => (n === 1 ? `1 ${what} has` : `${n} ${what}s have`);

interface Symptom {
  readonly severity: Severity | ((o: DoctorOptions, one: Chart) => Severity | undefined);
  readonly message: (n: number, o: DoctorOptions, one: Chart) => string;
  readonly help: string;
}

/** What is noticed on single examples while reading. */
const symptoms: Record<string, Symptom> = {
  "missing-text": {
    severity: "error",
    message: (n, o) => `${have(n, "example")} no column "${o.text ?? "text"}"`,
    help: "name the column of the text",
  },
  empty: {
    severity: (o) => (o.task === "language-modelling" ? "warning" : "error"),
    message: (n) => `${have(n, "example")} an empty text`,
    help: "fill them in or remove them: there is nothing to learn from",
  },
  "no-tokens": {
    severity: (o) => (o.task === "language-modelling" ? "warning" : "error"),
    message: (n) => `${have(n, "example")} text but not a single token`,
    help: "the tokeniser drops all their characters: remove them or train the tokeniser on such text",
  },
  replacement: {
    severity: "warning",
    message: (n) => `${have(n, "example")} the character U+FFFD, which stands for bytes that were lost`,
    help: "read the original again with its right encoding",
  },
  unlabelled: {
    severity: "error",
    message: (n) => `${have(n, "example")} no label`,
    help: "label them, remove them, or name the column of the label",
  },
  "label-spaces": {
    severity: "warning",
    message: (n) => `${have(n, "example")} a label with spaces around it, which makes it a class of its own`,
    help: "trim the labels",
  },
  duplicate: {
    severity: "warning",
    message: (n, _, one) => `${are(n, "text")} there already (${percent(n / one.examples)})`,
    help: "remove repeated examples, which count double",
  },
  "not-compared": {
    severity: "warning",
    message: (n, _, one) => `${are(n, "text")} not compared: repeats are looked for among the first ${one.seen.size}`,
    help: "examine a part of the data at a time to compare them all",
  },
  conflict: {
    severity: "warning",
    message: (n) => `${n} repeated ${n === 1 ? "text has" : "texts have"} different labels`,
    help: "decide on one label for each",
  },
  "double-start": {
    severity: "error",
    message: (n) => `${n} ${n === 1 ? "text begins" : "texts begin"} with the start token, which is added again`,
    help: "remove it from the text: it is added once, in training and in use",
  },
  "special-in-text": {
    severity: "warning",
    message: (n) => `${n} ${n === 1 ? "text contains" : "texts contain"} a special token written out`,
    help: "remove it, unless it is meant to act as one",
  },
  "too-long": {
    // a language model reads long documents in pieces, so nothing is lost there
    severity: (o) =>
      o.task === "language-modelling" ? undefined : (o.overflow ?? "error") === "error" ? "error" : "warning",
    message: (n, o, one) =>
      `${are(n, "example")} longer than ${o.contextLength} tokens (${percent(n / one.examples)}; overflow: ${o.overflow ?? "error"})`,
    help: 'use a longer contextLength, or set overflow to "truncate", "split" or "drop"',
  },
};

const noticed: Check = (charts, o) =>
  charts.flatMap((one) =>
    Object.entries(symptoms).flatMap(([code, symptom]) => {
      const found = one.noticed.get(code);
      const severity = typeof symptom.severity === "function" ? symptom.severity(o, one) : symptom.severity;
      if (!found || !severity) return [];
      const message = symptom.message(found.count, o, one);
      return [{ severity, code, split: one.name, count: found.count, message, ids: found.ids, help: symptom.help }];
    }),
  );

const unreadable: Check = (charts) =>
  charts.flatMap(({ name, stopped, examples }) =>
    stopped
      ? [
          {
            severity: "error",
            code: "unreadable",
            split: name,
            count: 1,
            message: `after ${examples} examples: ${stopped.what}`,
            ids: stopped.at ? [stopped.at] : [],
            help: stopped.help ?? "mend the file",
          },
        ]
      : examples === 0
        ? [
            {
              severity: "error",
              code: "no-examples",
              split: name,
              count: 0,
              message: "no examples",
              ids: [],
              help: "add some",
            },
          ]
        : [],
  );

const leakage: Check = (charts) =>
  charts.flatMap((one, i) =>
    charts.slice(i + 1).flatMap((other) => {
      const shared = [...other.seen].filter(([key]) => one.seen.has(key));
      if (!shared.length) return [];
      return [
        {
          severity: "error",
          code: "leakage",
          split: other.name,
          count: shared.length,
          message: `${shared.length} ${shared.length === 1 ? "text" : "texts"} of ${other.name} (${percent(shared.length / other.seen.size)}) ${shared.length === 1 ? "is" : "are"} in ${one.name} too, so the score would be too good`,
          ids: shared.slice(0, 3).map(([key, { id }]) => `${id} = ${one.seen.get(key)!.id}`),
          help: "remove them from one side, or allow leakage knowingly",
        },
      ];
    }),
  );

const classes: Check = (charts, o) => {
  const train = charts.find((one) => one.name === "train");
  if (o.task !== "text-classification" || !train || train.labels.size === 0) return [];
  const finding = (
    severity: Severity,
    code: string,
    split: Chart["name"],
    ids: string[],
    message: string,
    help: string,
  ) => (ids.length ? [{ severity, code, split, count: ids.length, message, ids: ids.slice(0, 5), help }] : []);
  const found = charts.slice(charts.indexOf(train) + 1).flatMap((other) => {
    const unseen = [...other.labels.keys()].filter((label) => !train.labels.has(label));
    const unasked = [...train.labels.keys()].filter((label) => !other.labels.has(label));
    return [
      ...finding(
        "error",
        "unseen-label",
        other.name,
        unseen,
        `${are(unseen.length, "label")} never seen in training`,
        "add examples of them to train, or remove them",
      ),
      ...finding(
        "warning",
        "unasked-label",
        other.name,
        unasked,
        `${are(unasked.length, "label")} in train but not here`,
        "the score says nothing about them",
      ),
    ];
  });
  const single = [...train.labels].filter(([, n]) => n === 1).map(([label]) => label);
  const one = train.labels.size === 1 ? [...train.labels.keys()] : [];
  return [
    ...found,
    ...finding(
      "error",
      "one-label",
      "train",
      one,
      "all examples have the same label",
      "there is nothing to tell apart",
    ),
    ...finding(
      "warning",
      "single-example",
      "train",
      single,
      `${have(single.length, "label")} one example only`,
      "label a few more of them",
    ),
  ];
};

const tokens: Check = (charts, o) => {
  if (!o.tokenizer) return [];
  const found = charts.flatMap((one): Finding[] => {
    const share = one.unknown / Math.max(1, one.tokens);
    if (share <= 0.01) return [];
    const message = `${percent(share)} of the tokens are unknown to the tokeniser`;
    const help = "train a tokeniser on this text, or use a byte-level one, which knows every text";
    const severity = share > 0.2 ? "error" : "warning";
    return [{ severity, code: "unknown-tokens", split: one.name, count: one.unknown, message, ids: [], help }];
  });
  const train = charts.find((one) => one.name === "train");
  if (o.task !== "language-modelling" || !train) return found;
  const { eos, mask } = o.tokenizer.special;
  if (eos === undefined && mask === undefined)
    found.push({
      severity: "error",
      code: "no-end",
      count: 1,
      message: "the tokeniser has no end-of-text token, so a model would never learn to stop",
      ids: [],
      help: "use a tokeniser that has one, such as <|endoftext|>",
    });
  if (o.contextLength !== undefined && train.tokens < o.contextLength)
    found.push({
      severity: "error",
      code: "corpus-small",
      split: "train",
      count: train.tokens,
      message: `the corpus has ${train.tokens} tokens, less than one context of ${o.contextLength}`,
      ids: [],
      help: `add text, or use a contextLength of at most ${train.tokens}`,
    });
  return found;
};

/** All checks, in the order in which they are reported. */
export const checks: readonly Check[] = [unreadable, leakage, noticed, classes, tokens];
