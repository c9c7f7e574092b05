/** The whole report as HTML: headline, labels, compute, what was paid before, runs, data, limits, machine. */
import type { DoctorReport } from "../../data/index.js";
import type { Pretraining } from "../curve.js";
import { type Efficiency, efficiency, rule } from "../efficiency.js";
import type { ReportFacts, RunFacts } from "../facts.js";
import {
  capital,
  count,
  curveLimits,
  headline,
  metricName,
  payback,
  score,
  seconds,
  signedEnds,
  summary,
  times,
  timesEnds,
} from "../words.js";
import { curvesTable } from "./curve-tables.js";
import { html, type Markup } from "./html.js";
import { figure, legend, page, type Tile, tableCard, tiles } from "./page.js";
import { type LossLine, lossesPlot, pretrainingPlot, runColour } from "./run-plots.js";
import { computeSection, labelsSection } from "./sections.js";
import {
  dataTable,
  environmentTable,
  findingsTable,
  predictionsTable,
  runsTable,
  spentTable,
  splitsTable,
} from "./tables.js";

/** The report as a page of HTML. */
export function documentOf(facts: ReportFacts): string {
  const { curve, runs = [], data = [], doctor, predictions = [], environment } = facts;
  const result = curve && efficiency(curve);
  const body = [
    ...(curve && result ? [...labelsSection(curve, result), ...computeSection(curve, result)] : []),
    ...(facts.curves
      ? [html`<h2>What pre-training saved</h2>\n`, tableCard(curvesTable(facts.curves), { quiet: true })]
      : []),
    ...paidSection(curve?.pretraining),
    ...runsSection(runs),
    ...(facts.tables ?? []).map((table) => tableCard(table)),
    ...(predictions.length
      ? [
          html`<h2>Test examples and what each network said</h2>\n`,
          tableCard(predictionsTable(predictions), { quiet: true }),
        ]
      : []),
    ...(data.length || doctor ? [html`<h2>Data</h2>\n`] : []),
    ...(data.length ? [tableCard(dataTable(data), { quiet: true })] : []),
    ...(doctor ? doctorCards(doctor) : []),
    ...limits(facts, result),
    ...(environment
      ? [html`<h2>Machine and versions</h2>\n`, tableCard(environmentTable(environment), { quiet: true })]
      : []),
  ];
  const made = facts.command && html`Made by <code>${facts.command}</code>. `;
  const foot = html`<p>${made}This page is one file: it loads nothing and sends nothing.</p>`;
  return page(facts.title, top(facts, result), body, foot);
}

function top(facts: ReportFacts, result: Efficiency | undefined): Markup {
  const iso = facts.date.toISOString();
  const date = html`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
  if (!result)
    return html`<p class="eyebrow"><b>plinth</b>${date}</p>\n<h1>${facts.title}</h1>\n${tiles(runTiles(facts.runs ?? []))}`;
  const { verdict, reason, size } = result.headline;
  const kind = verdict === "benefit" || verdict === "harm" ? verdict : "flat";
  return html`<p class="eyebrow"><b>plinth</b><span>${facts.title}</span>${date}</p>
<p class="called"><span class="verdict ${kind}">${capital(verdict)}</span><span class="reason">${reason} at ${count(size)} labels</span></p>
<h1>${headline(result)}</h1>
<p class="lead">${summary(result)}</p>
${tiles(resultTiles(result))}`;
}

function resultTiles(result: Efficiency): Tile[] {
  const { headline: at, metric } = result;
  const { dataMultiplier: labels, payback: repaid } = at;
  const compute = at.computeMultiplier.flops;
  const tiles: Tile[] = [
    {
      name: "Data multiplier",
      value: labels ? times(labels.median) : "—",
      range: labels ? timesEnds(labels) : "not measured",
      under: "labels from scratch ÷ labels adapted, at the adapted score",
    },
    {
      name: "Compute multiplier",
      value: compute ? times(compute.median) : "—",
      range: compute ? timesEnds(compute) : "not measured",
      under: "FLOPs from scratch ÷ adapted, to the best score from scratch",
    },
    {
      name: `${capital(metricName(metric.name))} at ${count(at.size)} labels`,
      value: score(at.adapted.median),
      unit: `vs ${score(at.scratch.median)}`,
      range: signedEnds(at.difference),
      under: "adapted vs from scratch, and the paired difference",
    },
  ];
  if (!repaid) return tiles;
  const n = repaid.flops.adaptations;
  const found =
    n === null ? { value: "never" } : { value: count(Math.ceil(n)), unit: n > 1 ? "adaptations" : "adaptation" };
  const range = `in seconds: ${payback(repaid.seconds)}`;
  const under = "by FLOPs saved; labels saved are not counted";
  return [...tiles, { name: n === null ? "Pre-training repaid" : "Pre-training repaid after", ...found, range, under }];
}

const runTiles = (runs: readonly RunFacts[]): Tile[] =>
  runs.slice(0, 4).map((r) => {
    const [name, value] = Object.entries(r.result ?? {})[0] ?? ["loss", r.losses.at(-1)?.loss];
    return {
      name: r.name,
      value: value === undefined ? "—" : score(value),
      unit: metricName(name),
      range: `${count(r.steps)} steps${r.cost.seconds === undefined ? "" : `, ${seconds(r.cost.seconds)}`}`,
      under: `${r.purpose}; ${r.ended}`,
    };
  });

/** What the base's pre-training cost, once, and how its loss fell. */
function paidSection(paid: Pretraining | undefined): Markup[] {
  if (!paid) return [];
  const where = paid.machine ? ` on ${paid.machine}` : "";
  const losses = paid.losses ?? [];
  const held = losses.flatMap((l) => (l.validation === undefined ? [] : { step: l.step, loss: l.validation }));
  const of = paid.data ? `: ${paid.data}` : "";
  return [
    html`<h2>What was paid before</h2>
<p>Pre-training ${paid.name} took ${seconds(paid.seconds)} and ${count(paid.tokens)} tokens${where}${of}. It is paid once and is not in
the multipliers.</p>
`,
    ...lossFigure({ name: `pre-training of ${paid.name}`, losses, held }, []),
  ];
}

/** Loss along the runs that are told of, what was written on the way, results and costs. */
function runsSection(runs: readonly RunFacts[]): Markup[] {
  if (runs.length === 0) return [];
  const learnt = runs.filter((r) => r.losses.length > 1);
  const [only] = learnt;
  const losses =
    learnt.length > 1 ? [overlay(learnt.map(line))] : only ? lossFigure(line(only), [only.purpose, only.model]) : [];
  return [
    html`<h2>${runs.length === 1 ? "Run" : "Runs"}</h2>\n`,
    ...losses,
    ...runs.filter((r) => r.samples.length).map(samplesCard),
    tableCard(runsTable(runs)),
    tableCard(spentTable(runs)),
    ...warnings(runs),
  ];
}

function lossFigure(l: LossLine, text: readonly (string | undefined)[]): Markup[] {
  const draw = pretrainingPlot(l);
  const caption = [...text, l.held?.length ? "circles: held-out loss" : undefined].filter(Boolean).join("; ");
  return draw ? [figure({ title: `Loss: ${l.name}`, caption: capital(caption), draw })] : [];
}

const line = (r: RunFacts): LossLine => ({
  name: r.name,
  losses: r.losses,
  held: r.scores.flatMap((s) => (s.scores["loss"] === undefined ? [] : { step: s.step, loss: s.scores["loss"] })),
});

const overlay = (lines: readonly LossLine[]): Markup =>
  figure({
    title: "Training loss",
    draw: lossesPlot(lines),
    legend: legend(lines.map((l, i) => ({ colour: runColour(i), name: l.name }))),
  });

function samplesCard(run: RunFacts): Markup {
  const n = run.samples.length;
  const shown = n <= 5 ? run.samples : [0, 1, 2, 3, 4].map((i) => run.samples[Math.round((i * (n - 1)) / 4)]!);
  const items = shown.map((s) => html`<li><b>step ${count(s.step)}</b><p dir="auto">${s.text.trim()}</p></li>`);
  return html`<div class="card"><h3>What ${run.name} wrote as it learnt</h3><ol class="samples">${items}</ol></div>\n`;
}

const warnings = (runs: readonly RunFacts[]): Markup[] => {
  const list = runs.flatMap((r) => r.warnings.map((w) => html`<li>${r.name}: ${w}</li>`));
  return list.length ? [html`<div class="card"><h3>Warnings</h3><ul class="limits">${list}</ul></div>\n`] : [];
};

function doctorCards(doctor: DoctorReport): Markup[] {
  const note = "The data doctor found nothing wrong.";
  const clear = doctor.findings.length === 0;
  return [
    tableCard({ ...splitsTable(doctor), ...(clear && { note }) }),
    ...(clear ? [] : [tableCard(findingsTable(doctor))]),
  ];
}

function limits(facts: ReportFacts, result: Efficiency | undefined): Markup[] {
  const list = [...(facts.curve && result ? curveLimits(facts.curve, result) : []), ...(facts.limits ?? [])];
  if (list.length === 0) return [];
  return [
    html`<h2>How far to trust this</h2>
${result && html`<p>${rule}</p>`}
<ul class="limits">${list.map((text) => html`<li>${text}</li>`)}</ul>
`,
  ];
}
