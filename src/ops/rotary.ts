/** Rotary positions, and the ways their wavelengths are stretched for contexts longer than the first one. */
import { constant, f32, fail, type Op, op, type Shape, show, size, type Tensor } from "../ir/index.js";
import { add, cast, cos, lift, mul, neg, sin, sub } from "./elementwise.js";
import { concat, reshape, split } from "./shape.js";

/** How wavelengths are stretched. `originalContextLength` is in tokens: the context before they were. */
export type RotaryScaling =
  /** All of them, `factor` times (Chen et al. 2023). */
  | { readonly kind: "linear"; readonly factor: number }
  /** None within the context, by NTK's rule beyond it (bloc97 2023): within the context, where plinth stays, as unscaled. */
  | { readonly kind: "dynamic"; readonly factor: number }
  /** Long ones `factor` times, short ones not at all, those between by a share (Llama 3, Grattafiori et al. 2024). */
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly originalContextLength: number;
      /** Turns within the original context below which a wavelength is long, and above which it is short. */
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
    }
  /** Long ones `factor` times, short ones not at all, by a ramp over the dimensions; the turned vectors grow (YaRN, Peng et al. 2023). */
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly originalContextLength: number;
      /** Turns within the original context at which the ramp begins and ends. */
      readonly betaFast: number;
      readonly betaSlow: number;
      /** How much longer the turned vectors are; 0.1 ln(factor) + 1 if absent. */
      readonly attentionFactor?: number | undefined;
      /** Whether the ramp begins and ends at whole dimensions. */
      readonly truncate: boolean;
    };

export interface RotaryAttrs {
  /** The longest wavelength, in tokens over 2π. */
  readonly base: number;
  readonly scaling?: RotaryScaling | undefined;
}

/** Radians a token turns each of the D/2 pairs of a head's numbers, in float64. */
function rotaryRates(D: number, { base, scaling }: RotaryAttrs): number[] {
  const plain = Array.from({ length: D / 2 }, (_, i) => base ** ((-2 * i) / D));
  if (!scaling || scaling.kind === "dynamic") return plain;
  const { factor } = scaling;
  if (scaling.kind === "linear") return plain.map((rate) => rate / factor);
  const kept = scaling.kind === "llama3" ? llama3Kept(plain, scaling) : yarnKept(D, base, scaling);
  return plain.map((rate, i) => kept[i]! * rate + ((1 - kept[i]!) * rate) / factor);
}

type Kind<K extends RotaryScaling["kind"]> = Extract<RotaryScaling, { readonly kind: K }>;
const clamp = (x: number) => Math.min(1, Math.max(0, x));

/** The share of each rate that is not divided: by its turns within the original context. */
function llama3Kept(rates: readonly number[], o: Kind<"llama3">): number[] {
  const { lowFrequencyFactor: low, highFrequencyFactor: high } = o;
  return rates.map((rate) => clamp(((rate * o.originalContextLength) / (2 * Math.PI) - low) / (high - low)));
}

/** The share of each rate that is not divided: falling along the dimensions between two numbers of turns. */
function yarnKept(D: number, base: number, o: Kind<"yarn">): number[] {
  const dimensionOf = (turns: number) =>
    (D * Math.log(o.originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const [first, last] = [dimensionOf(o.betaFast), dimensionOf(o.betaSlow)];
  const from = Math.max(0, o.truncate ? Math.floor(first) : first);
  const to = Math.min(D - 1, o.truncate ? Math.ceil(last) : last);
  // a ramp of no length would divide by zero
  const length = to === from ? 1e-3 : to - from;
  return Array.from({ length: D / 2 }, (_, i) => 1 - clamp((i - from) / length));
}

/** How much longer turned vectors are. */
const lengthOf = ({ scaling }: RotaryAttrs): number => {
  if (scaling?.kind !== "yarn") return 1;
  return scaling.attentionFactor ?? (scaling.factor <= 1 ? 1 : 0.1 * Math.log(scaling.factor) + 1);
};

type Turned = [x: Tensor, positions: Tensor];
/** Rotary positions (Su et al. 2021), halves turned as in Llama: x [B H T D], positions i32 [B T]. */
export const rotary: Op<Turned, RotaryAttrs> = op<Turned, RotaryAttrs>({
  name: "rotary",
  type([x, positions]) {
    if (x.shape.length !== 4 || x.shape[3]! % 2 || positions.shape.join() !== [x.shape[0], x.shape[2]].join())
      throw fail(
        "shape",
        `rotary: x ${show(x)} is not [B H T D] with D even, or positions ${show(positions)} not [B T]`,
      );
    return x;
  },
  lower([x, positions], attrs) {
    const [B, , T, D] = x.dims("B H T D");
    const rates = constant(rotaryRates(D, attrs), f32([D / 2]));
    const angles = mul(reshape(cast(positions, { to: x.dtype }), { shape: [B, 1, T, 1] }), rates);
    const length = lengthOf(attrs);
    const longer = (y: Tensor) => (length === 1 ? y : mul(y, lift(length, y)));
    return turned(x, longer(cos(angles)), longer(sin(angles)));
  },
  vjp(g, [, positions], _, attrs) {
    return [rotary(g, neg(positions), attrs), null];
  },
  cost: ([x]) => 3 * size(x.shape),
  samples: [{ base: 10_000 }, ...scalings().map((scaling) => ({ base: 100, scaling }))].map((attrs) => ({
    inputs: [[2, 1, 3, 8], { shape: [2, 3] as Shape, dtype: "i32", low: 0, high: 5 }],
    attrs,
  })),
});

function scalings(): RotaryScaling[] {
  const original = { factor: 4, originalContextLength: 64 };
  return [
    { kind: "linear", factor: 2 },
    { kind: "llama3", ...original, lowFrequencyFactor: 1, highFrequencyFactor: 4 },
    { kind: "yarn", ...original, betaFast: 32, betaSlow: 1, truncate: true },
  ];
}

function turned(x: Tensor, c: Tensor, s: Tensor): Tensor {
  const half = x.shape[3]! / 2;
  const [a, b] = split(x, { axis: 3, sizes: [half, half] }) as [Tensor, Tensor];
  return concat([sub(mul(a, c), mul(b, s)), add(mul(b, c), mul(a, s))], 3);
}
