/** The look of a report: one column, system fonts, light and dark, a phone as well as a desk. No script, nothing from elsewhere. */

export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #ffffff; --text: #1b1d21; --muted: #62666f; --line: #e4e4df; --strong: #cfcfc8;
  --adapted: #2457c5; --scratch: #c2570c; --pretraining: #6b4fb3;
  --run-1: #2457c5; --run-2: #c2570c; --run-3: #1a7f5a; --run-4: #a2348f; --run-5: #7a6a00; --run-6: #4b5563;
  --good: #14713d; --good-soft: #e0f2e6; --bad: #b3261e; --bad-soft: #fbe5e2; --flat: #6a5a16; --flat-soft: #f5eecf;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131417; --card: #1b1d21; --text: #eceef1; --muted: #a0a5af; --line: #2c2f36; --strong: #434751;
    --adapted: #7aa7ff; --scratch: #f59a57; --pretraining: #b7a0f2;
    --run-1: #7aa7ff; --run-2: #f59a57; --run-3: #5fd0a2; --run-4: #ee8fdc; --run-5: #dcc74c; --run-6: #a9b1bd;
    --good: #7ddba3; --good-soft: #16331f; --bad: #ff9d94; --bad-soft: #40201d; --flat: #e8d27a; --flat-soft: #393216;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif;
  text-rendering: optimizeLegibility; overflow-wrap: break-word;
}
main, header.top, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.5rem; }
header.top { padding-top: 3rem; }
.eyebrow { margin: 0 0 1.25rem; color: var(--muted); font-size: .875rem; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
.eyebrow b { color: var(--text); letter-spacing: .01em; }
h1 { margin: .75rem 0 .9rem; font-size: clamp(1.9rem, 1.2rem + 3vw, 3.1rem); line-height: 1.1; letter-spacing: -.025em; font-weight: 700; text-wrap: balance; max-width: 22ch; }
.lead { margin: 0; font-size: clamp(1.05rem, 1rem + .4vw, 1.25rem); line-height: 1.5; color: var(--muted); max-width: 42rem; text-wrap: pretty; }
h2 { margin: 3.5rem 0 .4rem; font-size: 1.4rem; line-height: 1.25; letter-spacing: -.015em; }
h2 + p { margin-top: 0; }
h3 { margin: 0 0 .3rem; font-size: 1rem; line-height: 1.35; }
p { max-width: 44rem; text-wrap: pretty; }
.note { color: var(--muted); }
.note { font-size: .875rem; line-height: 1.5; margin: .7rem 0 0; max-width: 52rem; }
.called { margin: 0; max-width: none; }
.verdict { display: inline-block; padding: .2rem .75rem; border-radius: 99rem; font-size: .875rem; font-weight: 650; }
.verdict.benefit { background: var(--good-soft); color: var(--good); }
.verdict.harm { background: var(--bad-soft); color: var(--bad); }
.verdict.flat { background: var(--flat-soft); color: var(--flat); }
.reason { color: var(--muted); font-size: .875rem; margin-left: .6rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13.5rem, 1fr)); gap: 1rem; margin: 2.25rem 0 0; padding: 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; }
.tile { padding: 1.1rem 1.25rem 1.15rem; display: flex; flex-direction: column; margin: 0; }
.tile dt { font-size: .875rem; color: var(--muted); }
.tile dd { margin: 0; }
.tile .figure { font-size: 2.15rem; line-height: 1.2; font-weight: 700; letter-spacing: -.025em; font-variant-numeric: tabular-nums; margin-top: .15rem; }
.tile .figure small { font-size: 1rem; font-weight: 500; color: var(--muted); letter-spacing: 0; line-height: 1.3; display: block; }
.tile .range { font-size: .875rem; font-variant-numeric: tabular-nums; margin-top: .1rem; }
.tile .under { font-size: .8125rem; line-height: 1.45; color: var(--muted); margin-top: .3rem; font-variant-numeric: tabular-nums; }
.card { padding: 1.25rem 1.4rem 1.3rem; margin: 1.25rem 0 0; }
figure.card { margin-left: 0; margin-right: 0; }
figcaption { margin: 0 0 .9rem; }
figcaption p { margin: 0; max-width: none; color: var(--muted); font-size: .875rem; line-height: 1.5; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .55rem 0 0; padding: 0; list-style: none; font-size: .875rem; }
.legend li { display: flex; align-items: center; gap: .45rem; }
.legend i { width: .8rem; height: .8rem; border-radius: 50%; border: 2px solid var(--c); background: var(--c); flex: none; }
.legend .hollow i { background: var(--card); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1.25rem; margin-top: 1.25rem; }
.pair > .card { margin-top: 0; }
svg { display: block; max-width: 100%; height: auto; color: var(--text); font-variant-numeric: tabular-nums; }
.narrow { display: none; }
.scroll { overflow-x: auto; margin: 0 -1.4rem; padding: 0 1.4rem; }
.scroll:focus-visible { outline: 2px solid var(--adapted); outline-offset: -2px; border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .9rem .5rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-top: 0; border-bottom: 1px solid var(--strong); color: var(--muted); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 500; }
tbody tr:first-child > * { border-top: 0; }
.right { text-align: right; }
td, th { white-space: nowrap; }
td.long, tbody th.long { white-space: normal; min-width: 12rem; max-width: 34rem; }
ol.samples { list-style: none; margin: 1rem 0 0; padding: 0; display: grid; gap: .8rem; }
ol.samples li { border-left: 3px solid var(--pretraining); padding: 0 0 0 .9rem; }
ol.samples b { display: block; font-size: .8125rem; font-weight: 500; color: var(--muted); }
ol.samples p { margin: 0; white-space: pre-wrap; unicode-bidi: isolate; max-width: none; font-family: ui-serif, Georgia, "Liberation Serif", "Times New Roman", serif; }
ul.limits { padding-left: 1.1rem; max-width: 46rem; margin: .6rem 0 0; }
ul.limits li { margin: .4rem 0; padding-left: .2rem; text-wrap: pretty; }
code { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", monospace; background: color-mix(in srgb, var(--text) 7%, transparent); border-radius: .3rem; padding: .12em .35em; overflow-wrap: anywhere; }
footer { margin-top: 3.5rem; padding-top: 1.25rem; padding-bottom: 3rem; color: var(--muted); font-size: .875rem; }
@media (max-width: 40rem) {
  main, header.top, footer { padding-left: 1rem; padding-right: 1rem; }
  header.top { padding-top: 1.75rem; }
  .card { padding: 1rem 1rem 1.1rem; }
  .scroll { margin: 0 -1rem; padding: 0 1rem; }
  .wide { display: none; }
  .narrow { display: block; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .7rem; }
  .tile { padding: .85rem .9rem; }
  .tile .figure { font-size: 1.55rem; white-space: normal; }
  .tile .figure small { font-size: .875rem; display: block; }
  .reason { display: block; margin: .4rem 0 0; }
  h2 { margin-top: 2.75rem; }
}
@media print {
  body { background: none; font-size: 12px; }
  .tile, .card { break-inside: avoid; }
}
`;
