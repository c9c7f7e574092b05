/** The parts a report page is made of: figures, tables, tiles, lists. */
import type { Table } from "../table.js";
import { html, type Markup, trusted } from "./html.js";
import type { Draw } from "./plots.js";
import { style } from "./style.js";

/** A whole page that loads nothing and runs nothing. */
export function page(title: string, top: Markup, body: readonly Markup[], foot: Markup): string {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
  const head = html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="plinth">
<title>${title}</title>
<style>${trusted(style)}</style>`;
  const document = html`<html lang="en">
<head>
${head}
</head>
<body>
<header class="top">
${top}
</header>
<main>
${body}
</main>
<footer>${foot}</footer>
</body>
</html>
`;
  return `<!doctype html>\n${document.text}`;
}

export interface Figure {
  readonly title: string;
  readonly caption?: string;
  readonly draw: Draw;
  readonly legend?: Markup;
  /** Width in pixels that the plot is drawn for on a desk. */
  readonly width?: number;
}

/** A plot twice: for a desk and for a phone; the page shows the one that fits. */
export const figure = ({ title, caption, draw, legend, width = 900 }: Figure): Markup =>
  html`<figure class="card"><figcaption><h3>${title}</h3>${caption ? html`<p>${caption}</p>` : ""}${legend}</figcaption>
<div class="wide">${draw(width)}</div><div class="narrow">${draw(330)}</div></figure>
`;

/** What the colours of a plot mean; a hollow mark where the plot's dots are hollow. */
export const legend = (
  items: readonly { readonly colour: string; readonly name: string; readonly hollow?: boolean }[],
) =>
  html`<ul class="legend">${items.map(
    ({ colour, name, hollow }) =>
      html`<li style="--c: ${colour}"${hollow && html` class="hollow"`}><i></i>${name}</li>`,
  )}</ul>`;

const long = (text: string) => text.length > 28;

/** A table in a card that scrolls sideways where the screen is narrow; `quiet` where a heading above already says its title. */
export function tableCard(table: Table, { quiet = false }: { readonly quiet?: boolean } = {}): Markup {
  const cell = (text: string, i: number) => {
    const kind = [table.columns[i]?.align === "right" && "right", long(text) && "long"].filter(Boolean).join(" ");
    const attributes = kind ? html` class="${kind}"` : "";
    return i === 0 ? html`<th scope="row"${attributes}>${text}</th>` : html`<td${attributes}>${text}</td>`;
  };
  const header = table.columns.map((c) =>
    c.align === "right" ? html`<th scope="col" class="right">${c.name}</th>` : html`<th scope="col">${c.name}</th>`,
  );
  const title = quiet ? "" : html`<h3>${table.title}</h3>`;
  return html`<div class="card">${title}<div class="scroll" tabindex="0" role="region" aria-label="${table.title}"><table aria-label="${table.title}">
<thead><tr>${header}</tr></thead>
<tbody>
${table.rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table></div>${table.note ? html`<p class="note">${table.note}</p>` : ""}</div>
`;
}

export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly unit?: string;
  /** Minimum to maximum, or another line of numbers. */
  readonly range: string;
  readonly under: string;
}
export const tiles = (list: readonly Tile[]): Markup =>
  html`<dl class="tiles">${list.map(
    (t) =>
      html`<div class="tile"><dt>${t.name}</dt><dd class="figure">${t.value}${
        t.unit ? html` <small>${t.unit}</small>` : ""
      }</dd><dd class="range">${t.range}</dd><dd class="under">${t.under}</dd></div>`,
  )}</dl>
`;
