/** The plots of runs: loss along training, one run or several. */
import * as Plot from "@observablehq/plot";
import { grouped } from "../statistics.js";
import { count, score } from "../words.js";
import { axes, colours, type Draw, draw, ruled } from "./plots.js";

/** One run's losses by step. */
export interface LossLine {
  readonly name: string;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  /** Held-out losses, drawn as dots. */
  readonly held?: readonly { readonly step: number; readonly loss: number }[];
}

/** Loss along pre-training. Long runs are thinned to what a page can show. */
export function pretrainingPlot({ name, losses, held = [] }: LossLine): Draw | undefined {
  const shown = thinned(losses, 400);
  const [first, last] = [shown[0], shown[shown.length - 1]];
  if (!first || !last || shown.length < 2) return undefined;
  return (width) =>
    draw({
      width,
      height: width < 500 ? 240 : 280,
      description: `Loss along ${name}: ${score(first.loss)} at step ${count(first.step)}, ${score(last.loss)} at step ${count(last.step)}.`,
      x: {},
      y: { nice: true },
      marks: [
        ruled(5),
        ...axes(
          { ticks: width < 500 ? 4 : 6, tickFormat: (n: number) => count(n), label: "step" },
          { ticks: 5, label: "loss, nats" },
        ),
        Plot.line(shown, { x: "step", y: "loss", stroke: colours.pretraining, strokeWidth: 1.8 }),
        Plot.dot(held, { x: "step", y: "loss", r: 3.5, fill: "var(--card)", stroke: "var(--text)", strokeWidth: 1.5 }),
      ],
    });
}

/** Colours of runs side by side; a seventh run takes the first again, dashed. */
const series = [1, 2, 3, 4, 5, 6].map((i) => `var(--run-${i})`);
export const runColour = (i: number): string => series[i % series.length]!;

/** Losses of several runs in one plot. */
export function lossesPlot(lines: readonly LossLine[]): Draw {
  const points = lines.map((line) => thinned(line.losses, 300));
  const said = lines.map((line, i) => `${line.name} ends at ${score(points[i]!.at(-1)!.loss)}`);
  return (width) =>
    draw({
      width,
      height: width < 500 ? 260 : 340,
      description: `Training loss by step. ${said.join("; ")}.`,
      x: {},
      y: { nice: true },
      marks: [
        ruled(5),
        ...axes(
          { ticks: width < 500 ? 4 : 8, tickFormat: (n: number) => count(n), label: "step" },
          { ticks: 5, label: "training loss, nats" },
        ),
        ...points.map((list, i) =>
          Plot.line(list, {
            x: "step",
            y: "loss",
            stroke: runColour(i),
            strokeWidth: 1.8,
            ...(i >= series.length && { strokeDasharray: "5 3" }),
          }),
        ),
      ],
    });
}

/** At most `n` means of equal stretches. */
function thinned(losses: LossLine["losses"], n: number): LossLine["losses"] {
  if (losses.length <= n) return losses;
  const stretch = Math.ceil(losses.length / n);
  return [...grouped(losses.entries(), ([i]) => Math.floor(i / stretch)).values()].map((group) => ({
    step: group[group.length - 1]![1].step,
    loss: group.reduce((sum, [, p]) => sum + p.loss, 0) / group.length,
  }));
}
