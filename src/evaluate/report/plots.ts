/** The plots of a report: Observable Plot drawn to inline SVG, without a browser. Colours are the page's own, by name. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Markup, trusted, visible } from "./html.js";

/** A plot at any width: wide for a page, narrow for a phone. */
export type Draw = (width: number) => Markup;

export const colours = { adapted: "var(--adapted)", scratch: "var(--scratch)", pretraining: "var(--pretraining)" };

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** What the plot shows, for those who cannot see it. */
  readonly description: string;
  readonly x: Plot.ScaleOptions;
  readonly y: Plot.ScaleOptions;
  readonly marks: Plot.Markish[];
  readonly margins?: {
    readonly left?: number;
    readonly right?: number;
    readonly top?: number;
    readonly bottom?: number;
  };
}

/** Draw one plot. */
export function draw({ width, height, description, x, y, marks, margins = {} }: Frame): Markup {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({
    document,
    width,
    height,
    marginLeft: margins.left ?? 48,
    marginRight: margins.right ?? 20,
    marginTop: margins.top ?? 26,
    marginBottom: margins.bottom ?? 44,
    style: { fontSize: "12px", fontFamily: "inherit", background: "none", overflow: "visible" },
    x,
    y,
    marks,
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", visible(description));
  // one figure is one image: its parts are not read out one by one
  for (const part of svg.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");
  return trusted(svg.outerHTML);
}

const axisText = { fill: "var(--muted)" } as const;
/** Horizontal lines. */
export const ruled = (ticks: number): Plot.Markish => Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks });
/** Axes without ticks or arrows. */
export const axes = (x: Plot.AxisXOptions, y: Plot.AxisYOptions): Plot.Markish[] => [
  Plot.axisX({ ...axisText, tickSize: 0, tickPadding: 8, labelArrow: "none", labelAnchor: "center", ...x }),
  Plot.axisY({ ...axisText, tickSize: 0, tickPadding: 8, labelArrow: "none", ...y }),
];

/** A bar: a median with its minimum and maximum. */
export interface Bar {
  readonly name: string;
  readonly colour: string;
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
  /** The median, as text beside the bar. */
  readonly text: string;
}

/** Bars of one quantity from zero, whiskers from minimum to maximum. */
export function barPlot(title: string, bars: readonly Bar[]): Draw {
  return (width) =>
    draw({
      width,
      height: 8 + 38 * bars.length,
      description: `${title}: ${bars.map((b) => `${b.name} ${b.text}`).join(", ")}.`,
      margins: { left: 92, right: 88, top: 4, bottom: 4 },
      x: { domain: [0, Math.max(...bars.map((b) => b.maximum)) || 1], axis: null },
      y: { type: "band", domain: bars.map((b) => b.name), padding: 0.32, label: null },
      marks: [
        Plot.axisY({ ...axisText, fill: "var(--text)", tickSize: 0, tickPadding: 10, label: null }),
        Plot.barX(bars, { x: "median", y: "name", fill: "colour", rx: 3 }),
        Plot.ruleY(
          bars.filter((b) => b.maximum > b.minimum),
          { x1: "minimum", x2: "maximum", y: "name", stroke: "var(--text)", strokeWidth: 1.4 },
        ),
        Plot.text(bars, {
          x: "maximum",
          y: "name",
          text: "text",
          textAnchor: "start",
          dx: 8,
          fill: "var(--text)",
          fontWeight: 600,
        }),
      ],
    });
}

/** Width in pixels of a plot that shares a row with another. */
export const half = 410;
