/** report.html: one offline file that says what pre-training saved, with plots, costs, data and honest limits. */
import { replaceFile } from "../models/index.js";
import type { Curve } from "./curve.js";
import { type Efficiency, type Expense, efficiency, rule } from "./efficiency.js";
import type { ReportFacts, RunFacts } from "./facts.js";
import { html, type Markup } from "./report/html.js";
import { figure, legend, page, type Tile, tableCard, tiles } from "./report/page.js";
import { barPlot, colours, expenseBars, lossPlot, pretrainingPlot, progressPlot, scorePlot } from "./report/plots.js";
import {
  costTable,
  dataTable,
  environmentTable,
  findingsTable,
  multipliersTable,
  paybackTable,
  predictionsTable,
  runsTable,
  sizesTable,
} from "./report/tables.js";
import { range } from "./statistics.js";
import {
  count,
  curveLimits,
  headline,
  metricName,
  payback,
  percent,
  score,
  seconds,
  summary,
  times,
  timesRange,
} from "./words.js";

/** Write the report whole: a reader sees the old one or the new one. Throws `disk` where it cannot be written. */
export async function writeReport(path: string, facts: ReportFacts): Promise<void> {
  await replaceFile(path, reportHtml(facts));
}

/** The report as a page of HTML. It loads nothing: no script, font or image from elsewhere. */
export function reportHtml(facts: ReportFacts): string {
  const { curve, runs = [], data = [], doctor, predictions = [], environment } = facts;
  const result = curve && efficiency(curve);
  const body = [
    ...(curve && result ? curveSections(curve, result) : []),
    ...pretrainingSection(curve, runs),
    ...(runs.length ? [html`<h2>Runs</h2>\n`, tableCard(runsTable(runs)), ...warnings(runs)] : []),
    ...(predictions.length ? [html`<h2>Examples</h2>\n`, tableCard(predictionsTable(predictions))] : []),
    ...(data.length || doctor ? [html`<h2>Data</h2>\n`] : []),
    ...(data.length ? [tableCard(dataTable(data))] : []),
    ...(doctor ? [doctorCard(doctor)] : []),
    limits(facts, result),
    ...(environment ? [html`<h2>Machine and versions</h2>\n`, tableCard(environmentTable(environment))] : []),
  ];
  const foot = html`${facts.command ? html`Made by <code>${facts.command}</code>. ` : ""}This page is one file: it loads nothing and sends nothing.`;
  return page(facts.title, top(facts, result), body, foot);
}

function top(facts: ReportFacts, result: Efficiency | undefined): Markup {
  const day = facts.date.toISOString().slice(0, 16).replace("T", " ");
  const eyebrow = html`<p class="eyebrow"><b>plinth</b><span>${facts.title}</span><time datetime="${facts.date.toISOString()}">${day} UTC</time></p>`;
  if (!result) return html`${eyebrow}<h1>${facts.title}</h1>${tiles(runTiles(facts.runs ?? []))}`;
  const { verdict, reason } = result.headline;
  const kind = verdict === "benefit" || verdict === "harm" ? verdict : "flat";
  return html`${eyebrow}
<div><span class="verdict ${kind}">${verdict}</span><span class="reason">${reason} at ${count(result.headline.size)} labels</span></div>
<h1>${headline(result)}</h1>
<p class="lead">${summary(result)}</p>
${tiles(resultTiles(result))}`;
}

function resultTiles(result: Efficiency): Tile[] {
  const { headline: at, metric } = result;
  const compute = at.computeMultiplier.flops;
  const repaid = at.payback?.flops.adaptations;
  return [
    {
      name: "Data multiplier",
      value: at.dataMultiplier ? times(at.dataMultiplier.median) : "—",
      under: at.dataMultiplier ? `labels from scratch ÷ adapted; ${timesRange(at.dataMultiplier)}` : "not measured",
    },
    {
      name: "Compute multiplier",
      value: compute ? times(compute.median) : "—",
      under: compute ? `FLOPs to the best score from scratch; ${timesRange(compute)}` : "not measured",
    },
    {
      name: `${metricName(metric.name)} at ${count(at.size)} labels`,
      value: score(at.adapted.median),
      unit: `vs ${score(at.scratch.median)}`,
      under: "adapted against from scratch, medians",
    },
    ...(at.payback
      ? [
          {
            name: "Pre-training repaid",
            value: repaid === null || repaid === undefined ? "never" : count(Math.ceil(repaid)),
            ...(repaid ? { unit: repaid > 1 ? "adaptations" : "adaptation" } : {}),
            under: `in FLOPs; in seconds: ${payback(at.payback.seconds)}. Labels saved are not counted`,
          },
        ]
      : []),
  ];
}

const runTiles = (runs: readonly RunFacts[]): Tile[] =>
  runs.slice(0, 4).map((r) => {
    const [name, value] = Object.entries(r.result ?? {})[0] ?? ["loss", r.losses.at(-1)?.loss];
    return {
      name: r.name,
      value: value === undefined ? "—" : score(value),
      unit: metricName(name),
      under: `${r.purpose}; ${count(r.steps)} steps${r.cost.seconds === undefined ? "" : `, ${seconds(r.cost.seconds)}`}; ${r.ended}`,
    };
  });

const bothArms = legend([
  { kind: "adapted", name: "adapted" },
  { kind: "scratch", name: "from scratch" },
]);

function curveSections(curve: Curve, result: Efficiency): Markup[] {
  const { size } = result.headline;
  const metric = metricName(curve.metric.name);
  const loss = lossPlot(curve, size);
  const progress = progressPlot(curve, size, "flops", metric);
  return [
    html`<h2>Fewer labels?</h2>
<p>${curve.data}. One network of ${count(curve.parameters)} parameters, learnt twice from the same labelled examples: once starting from pre-trained
weights (${curve.method === "full" ? "full fine-tuning" : curve.method}), once from random ones. Everything is repeated for each seed and paired.</p>
`,
    figure({
      title: `Test ${metric} against labelled examples`,
      caption:
        "Line: median over seeds. Band: minimum to maximum. Dots: single runs. The horizontal axis is logarithmic.",
      draw: scorePlot(curve, metric),
      legend: bothArms,
    }),
    tableCard(sizesTable(result)),
    tableCard({ ...multipliersTable(result) }),
    html`<h2>Less compute?</h2>
<p>How the ${count(size)}-label runs learn, and what it takes to reach the best score that training from scratch ever reaches.</p>
`,
    html`<div class="pair">${[
      ...(progress
        ? [
            figure({
              title: `Validation ${metric} against compute`,
              caption: "One line for each seed. Dashed: the best score from scratch (median).",
              draw: progress,
              legend: bothArms,
              width: 440,
            }),
          ]
        : []),
      ...(loss
        ? [
            figure({
              title: "Training loss",
              caption: `With ${count(size)} labels, one line for each seed.`,
              draw: loss,
              legend: bothArms,
              width: 440,
            }),
          ]
        : []),
    ]}</div>`,
    costBars(curve, size),
    tableCard(costTable(curve, result)),
    ...[paybackTable(result)].flatMap((t) => (t ? [tableCard(t)] : [])),
  ];
}

function costBars(curve: Curve, size: number): Markup {
  const names: Record<Expense, string> = { flops: "Compute", seconds: "Time", joules: "Energy" };
  const figures = (["seconds", "flops", "joules"] as const).flatMap((kind) => {
    const found = expenseBars(curve, size, kind);
    if (!found) return [];
    const estimated = kind === "joules" && !curve.energy.measured ? "Estimated, not measured. " : "";
    const missed = found.missed
      ? `${found.missed} of the adapted runs never got there: all they spent is shown.`
      : "Median; the line spans the seeds.";
    const title = `${names[kind]} to reach the best score from scratch`;
    return [figure({ title, caption: `${estimated}${missed}`, draw: barPlot(title, found.bars), width: 440 })];
  });
  const trainable = (["adapted", "scratch"] as const).map((arm) => {
    const r = range(
      curve.runs.filter((run) => run.arm === arm && run.size === size).map((run) => run.trainableParameters),
    );
    return { arm, ...(r ?? { minimum: 0, median: 0, maximum: 0 }) };
  });
  const share = (trainable[0]?.median ?? 0) / Math.max(1, curve.parameters);
  figures.push(
    figure({
      title: "Trainable parameters",
      caption: `The adapted network trains ${percent(share)} of its ${count(curve.parameters)} parameters.`,
      draw: barPlot(
        "Trainable parameters",
        trainable.map((t) => ({
          ...t,
          name: t.arm === "adapted" ? "adapted" : "from scratch",
          colour: colours[t.arm],
          text: count(t.median),
        })),
      ),
      width: 440,
    }),
  );
  return html`<div class="pair">${figures}</div>`;
}

function pretrainingSection(curve: Curve | undefined, runs: readonly RunFacts[]): Markup[] {
  const p = curve?.pretraining;
  const lines = [
    ...(p?.losses?.length
      ? [
          {
            name: `pre-training of ${p.name}`,
            losses: p.losses,
            held: held(p.losses.map((l) => ({ step: l.step, loss: l.validation }))),
            text: p.data,
          },
        ]
      : []),
    ...runs
      .filter((r) => r.losses.length > 1)
      .map((r) => ({
        name: `${r.purpose}: ${r.name}`,
        losses: r.losses,
        held: held(r.scores.map((s) => ({ step: s.step, loss: s.scores["loss"] }))),
        text: r.model,
      })),
  ];
  const parts = lines.flatMap((line) => {
    const draw = pretrainingPlot(line);
    if (!draw) return [];
    const caption = [line.text, line.held.length ? "Circles: held-out loss." : ""]
      .filter(Boolean)
      .join(". ")
      .replace("..", ".");
    return [figure({ title: `Loss, ${line.name}`, caption, draw, width: lines.length > 1 ? 440 : 900 })];
  });
  const samples = runs.filter((r) => r.samples.length).map(samplesCard);
  if (parts.length + samples.length === 0) return [];
  const title = p ? "What was paid before" : "Learning";
  const lead = p
    ? html`<p>Pre-training is paid once: ${seconds(p.seconds)} and ${count(p.tokens)} tokens for ${p.name}${p.machine ? ` on ${p.machine}` : ""}. It is not in the multipliers.</p>\n`
    : "";
  return [html`<h2>${title}</h2>\n${lead}<div class="pair">${parts}</div>`, ...samples];
}
const held = (points: readonly { readonly step: number; readonly loss: number | undefined }[]) =>
  points.flatMap(({ step, loss }) => (loss === undefined ? [] : [{ step, loss }]));

function samplesCard(run: RunFacts): Markup {
  const n = run.samples.length;
  const shown = n <= 5 ? run.samples : [0, 1, 2, 3, 4].map((i) => run.samples[Math.round((i * (n - 1)) / 4)]!);
  return html`<div class="card"><h3>What ${run.name} wrote as it learnt</h3><ol class="samples">${shown.map(
    (s) => html`<li><b>step ${count(s.step)}</b><p dir="auto">${s.text.trim()}</p></li>`,
  )}</ol></div>\n`;
}

const warnings = (runs: readonly RunFacts[]): Markup[] => {
  const list = runs.flatMap((r) => r.warnings.map((w) => html`<li>${r.name}: ${w}</li>`));
  return list.length ? [html`<div class="card"><h3>Warnings</h3><ul class="limits">${list}</ul></div>\n`] : [];
};

function doctorCard({ examined, findings }: NonNullable<ReportFacts["doctor"]>): Markup {
  if (findings.length)
    return tableCard({ ...findingsTable(findings), note: `${count(examined)} examples were examined.` });
  return html`<div class="card"><h3>Data doctor</h3><p>Nothing found in ${count(examined)} examples: no empty, duplicate or leaking ones.</p></div>\n`;
}

function limits(facts: ReportFacts, result: Efficiency | undefined): Markup {
  const list = [...(facts.curve && result ? curveLimits(facts.curve, result) : []), ...(facts.limits ?? [])];
  if (list.length === 0 && !result) return html``;
  return html`<h2>How far to trust this</h2>
${result ? html`<p>${rule}</p>` : ""}
<ul class="limits">${list.map((text) => html`<li>${text}</li>`)}</ul>
`;
}
