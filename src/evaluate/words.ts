/** Numbers and results as people read them: one place, so that the report and the terminal say the same. */
import type { Curve } from "./curve.js";
import type { Efficiency, Payback } from "./efficiency.js";
import type { Bounded, BoundedRange, Range } from "./statistics.js";

const scales = [
  [1e18, "E"],
  [1e15, "P"],
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

// a number and its unit stay on one line
const space = "\u00A0";

/** Three significant digits, trailing zeros kept: 12.0, 3.46, 512. */
const three = (x: number): string =>
  x === 0 ? "0" : Math.abs(x) >= 999.5 ? Math.round(x).toLocaleString("en") : x.toPrecision(3);

function scaledBy(x: number, unit: string): string {
  const found = scales.find(([scale]) => x >= scale * 0.9995);
  return found ? `${three(x / found[0])}${space}${found[1]}${unit}` : `${three(x)}${unit && `${space}${unit}`}`;
}
/** 94,000; 3.60 M. */
export const count = (n: number): string => (n < 1e6 ? Math.round(n).toLocaleString("en") : scaledBy(n, ""));
export const flops = (n: number): string => scaledBy(n, "FLOP");
export const joules = (n: number): string => scaledBy(n, "J");
export const bytes = (n: number): string => scaledBy(n, "B");
/** 0.52 s; 42.0 s; 3 min 20 s; 1 h 10 min. */
export function seconds(s: number): string {
  if (s < 99.5) return `${s < 10 ? s.toFixed(2) : s.toFixed(1)}${space}s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)}${space}min ${whole % 60}${space}s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)}${space}h ${minutes % 60}${space}min`;
}
export const expense = { flops, seconds, joules } as const;
/** A unit in which amounts up to `most` are short numbers: for an axis. */
export function unitFor(most: number, kind: keyof typeof expense): { readonly divide: number; readonly unit: string } {
  if (kind === "seconds") return most < 120 ? { divide: 1, unit: "seconds" } : { divide: 60, unit: "minutes" };
  const name = kind === "flops" ? "FLOP" : "J";
  const [divide, prefix] = scales.find(([scale]) => most >= scale) ?? [1, ""];
  return { divide, unit: `${prefix}${name}` };
}

/** A score or a loss: three decimals below 10, three digits above. */
export const score = (x: number): string => (Math.abs(x) < 10 ? x.toFixed(3) : three(x));
/** A difference of scores with its sign, a true minus. */
export const signed = (x: number): string => `${x < 0 ? "−" : "+"}${score(Math.abs(x))}`;
export const percent = (x: number): string => `${(100 * x).toFixed(x < 0.1 ? 1 : 0)}${space}%`;

const digits = (x: number): string => (x >= 99.5 ? Math.round(x).toLocaleString("en") : x.toPrecision(2));
const marks = { exact: "", "at least": `≥${space}`, "at most": `≤${space}` } as const;
/** 5.3×, ≥ 16×, ≤ 0.50×. */
export const times = (x: Bounded): string => `${marks[x.bound]}${digits(x.value)}×`;
/** 7.2× – 9.1×, the ends of a range. */
export const timesEnds = (r: BoundedRange): string => spread([r.minimum, r.maximum].map(times));
/** minimum – median – maximum; one number where they are the same. */
export const timesRange = (r: BoundedRange | undefined): string =>
  r ? spread([r.minimum, r.median, r.maximum].map(times)) : "not measured";
const spread = (texts: readonly string[]): string =>
  new Set(texts).size === 1 ? `${texts[0]}, every seed` : texts.join(" – ");
export const scoreRange = (r: Range): string => spread([r.minimum, r.median, r.maximum].map(score));
export const signedRange = (r: Range): string => spread([r.minimum, r.median, r.maximum].map(signed));
export const signedEnds = (r: Range): string => spread([r.minimum, r.maximum].map(signed));
/** 1 seed, 3 seeds. */
export const seeds = (n: number): string => (n === 1 ? "1 seed" : `${n} seeds`);
/** "after 12 adaptations", "never". */
export const payback = ({ adaptations }: Payback): string =>
  adaptations === null ? "never" : adaptations <= 1 ? "after the first" : `after ${count(Math.ceil(adaptations))}`;

const metricNames: Readonly<Record<string, string>> = {
  macroF1: "macro-F1",
  bitsPerByte: "bits per byte",
  accuracy: "accuracy",
};
/** A metric's name in prose. */
export const metricName = (name: string): string =>
  metricNames[name] ?? name.replaceAll(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);

const bounded = (x: Bounded): string =>
  x.bound === "exact" ? `${digits(x.value)} times` : `${x.bound} ${digits(x.value)} times`;

/** The first line of a report: what pre-training was worth. */
export function headline({ headline: at }: Efficiency): string {
  const labels = at.dataMultiplier?.median;
  switch (at.verdict) {
    case "benefit":
      return labels && labels.bound !== "at most" && labels.value > 1
        ? `Pre-training was worth ${bounded(labels)} the labels`
        : "Pre-training was a benefit";
    case "harm":
      return "Pre-training did harm here";
    case "no benefit":
      return "Pre-training brought no benefit here";
    default:
      return "Too few seeds to say what pre-training was worth";
  }
}

/** The sentence under the headline, with the numbers. */
export function summary(efficiency: Efficiency): string {
  const { size, adapted, scratch, seeds: all } = efficiency.headline;
  const name = metricName(efficiency.metric.name);
  return (
    `With ${count(size)} labelled examples the adapted network reaches ${name} ${score(adapted.median)}; the same network ` +
    `from scratch reaches ${score(scratch.median)} (${all.length > 1 ? "medians of " : ""}${seeds(all.length)}).`
  );
}

/** What the numbers of a curve cannot say. */
export function curveLimits(curve: Curve, efficiency: Efficiency): string[] {
  const { headline: at, sizes, pretraining } = efficiency;
  const n = at.seeds.length;
  const error = Math.sqrt(0.25 / Math.max(1, curve.tested.test));
  const bounds = sizes.some((s) => s.dataMultiplier && s.dataMultiplier.median.bound !== "exact");
  return [
    `${seeds(n)} a size: were pre-training of no use, chance alone would still favour it for every seed of a ` +
      `size ${n === 0 ? "always" : `one time in ${2 ** n}`}.`,
    curve.metric.name === "accuracy"
      ? `Scores come from ${count(curve.tested.test)} test examples: up to ±${percent(1.96 * error)} of each ` +
        "is the luck of which examples those are, shared by both arms of a pair."
      : `Scores come from ${count(curve.tested.test)} test examples.`,
    ...(curve.baseline === undefined
      ? []
      : [`Always answering with the most frequent label would score ${score(curve.baseline)}.`]),
    `Labels counted are those trained on. Both arms also use the labels of ${count(curve.tested.validation)} validation ` +
      "examples to choose when to stop.",
    ...(bounds
      ? ["A multiplier with ≥ or ≤ is a bound: the curve from scratch was not measured far enough to say more."]
      : []),
    "Costs to reach a score are read at evaluations, so they are rounded up to the next one for both arms.",
    curve.energy.measured
      ? `Energy was read from the processor (${curve.energy.how}); memory cards, screen and cooling are not in it.`
      : `Energy was not measured but ${curve.energy.how}.`,
    ...(pretraining?.machine
      ? [`Pre-training ran on: ${pretraining.machine}. Its seconds and joules compare only with that machine's.`]
      : []),
    ...(curve.tuning
      ? [
          `Learning rates tried: adapted ${curve.tuning.adapted.join(", ")}; from scratch ${curve.tuning.scratch.join(", ")}; ` +
            `${curve.tuning.how}. The cost of that search is not in the figures.`,
        ]
      : []),
  ];
}

/** With a capital first letter. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
