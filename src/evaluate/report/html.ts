/** HTML that cannot be broken by what it shows: every value is escaped unless it is markup already. */

declare const brand: unique symbol;
/** Text that is HTML. */
export interface Markup {
  readonly [brand]: true;
  readonly text: string;
}

/** Text that is known to be HTML. */
export const trusted = (text: string): Markup => ({ text }) as Markup;

type Value = string | number | Markup | readonly Markup[] | undefined | false;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Control characters, which HTML forbids, become a visible mark. */
export const visible = (text: string): string => text.replaceAll(/[^\P{Cc}\n\t]/gu, "\uFFFD");
/** Text for HTML, between tags or in quotes. */
const escapeHtml = (text: string): string => visible(text).replaceAll(/[&<>"']/g, (c) => entities[c]!);

const isList = (value: Value): value is readonly Markup[] => Array.isArray(value);
const write = (value: Value): string => {
  if (value === undefined || value === false) return "";
  if (isList(value)) return value.map((m) => m.text).join("");
  return typeof value === "object" ? value.text : escapeHtml(`${value}`);
};

/** html`<p>${text}</p>`: text is escaped, markup and lists of it are not; undefined and false write nothing. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Markup =>
  trusted(parts.reduce((text, part, i) => text + write(values[i - 1]) + part));
