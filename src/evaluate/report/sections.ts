/** The sections of a report that come from a curve: labels, compute, cost. */
import type { Curve } from "../curve.js";
import { type Efficiency, type Expense, expenses } from "../efficiency.js";
import { range } from "../statistics.js";
import { count, metricName, percent, seeds } from "../words.js";
import { expenseBars, lossPlot, progressPlot, scorePlot } from "./curve-plots.js";
import { armNames, costTable, multipliersTable, paybackTable, sizesTable } from "./curve-tables.js";
import { html, type Markup } from "./html.js";
import { figure, legend, tableCard } from "./page.js";
import { type Bar, barPlot, colours, half } from "./plots.js";

const both = legend([
  { colour: colours.adapted, name: armNames.adapted },
  { colour: colours.scratch, name: armNames.scratch, hollow: true },
]);

/** What the labels were worth: score by labelled examples, and the multipliers. */
export function labelsSection(curve: Curve, result: Efficiency): Markup[] {
  const metric = metricName(curve.metric.name);
  const method = curve.method === "full" ? "full fine-tuning" : curve.method;
  return [
    html`<h2>Fewer labels?</h2>
<p>${curve.data}. One network of ${count(curve.parameters)} parameters learns twice from the same labelled examples: once from
pre-trained weights (${method}), once from random ones. Each size is repeated with ${seeds(result.headline.seeds.length)}, in pairs.</p>
`,
    figure({
      title: `Test ${metric} by labelled examples`,
      caption: `Line: median over seeds. Band: minimum to maximum. Dots: single runs. ${
        curve.baseline === undefined ? "" : "Dotted: always the most frequent label. "
      }The horizontal axis is logarithmic.`,
      draw: scorePlot(curve, metric, result.headline),
      legend: both,
    }),
    tableCard(sizesTable(result)),
    tableCard(multipliersTable(result)),
  ];
}

/** What learning cost: progress, loss, expenses to the same score, whole runs, pay-back. */
export function computeSection(curve: Curve, result: Efficiency): Markup[] {
  const { size } = result.headline;
  const metric = metricName(curve.metric.name);
  const progress = progressPlot(curve, size, "flops", metric);
  const loss = lossPlot(curve, size);
  const repaid = paybackTable(result);
  const figures = [
    ...(progress
      ? [
          figure({
            title: `Validation ${metric} by compute`,
            caption: "One line for each seed. Dashed: the best score from scratch, median.",
            draw: progress,
            legend: both,
            width: half,
          }),
        ]
      : []),
    ...(loss
      ? [figure({ title: "Training loss", caption: "One line for each seed.", draw: loss, legend: both, width: half })]
      : []),
    ...expenseFigures(curve, size),
    trainableFigure(curve, size),
  ];
  return [
    html`<h2>Less compute?</h2>
<p>How the runs with ${count(size)} labels learn, and what they spend until they reach the best score that training from scratch ever reaches.</p>
<div class="pair">${figures}</div>
`,
    tableCard(costTable(curve, result)),
    ...(repaid ? [tableCard(repaid)] : []),
  ];
}

const expenseNames: Readonly<Record<Expense, string>> = { flops: "Compute", seconds: "Time", joules: "Energy" };

function expenseFigures(curve: Curve, size: number): Markup[] {
  return expenses.flatMap((kind) => {
    const found = expenseBars(curve, size, kind);
    if (!found) return [];
    const title = `${expenseNames[kind]} to the best score from scratch`;
    const caption = [
      kind === "joules" && !curve.energy.measured ? "Estimated, not measured." : "",
      found.missed
        ? `${found.missed} of the adapted runs never got there: what they spent in all is shown.`
        : "Medians.",
    ];
    return [figure({ title, caption: caption.join(" ").trim(), draw: barPlot(title, found.bars), width: half })];
  });
}

function trainableFigure(curve: Curve, size: number): Markup {
  const bars = (["adapted", "scratch"] as const).map((arm): Bar => {
    const runs = curve.runs.filter((run) => run.arm === arm && run.size === size);
    const found = range(runs.map((run) => run.trainableParameters)) ?? { minimum: 0, median: 0, maximum: 0 };
    return { ...found, name: armNames[arm], colour: colours[arm], text: count(found.median) };
  });
  const share = bars[0]!.median / Math.max(1, curve.parameters);
  return figure({
    title: "Trainable parameters",
    caption: `Adapting trains ${percent(share)} of ${count(curve.parameters)}.`,
    draw: barPlot("Trainable parameters", bars),
    width: half,
  });
}
