import { expect, test } from "vitest";
import { syntheticCurve } from "../../test/synthetic-curve.js";
import { efficiency } from "./efficiency.js";
import { multipliersTable } from "./report/curve-tables.js";
import { renderTable, wrapped } from "./table.js";

test("a table is aligned text", () => {
  expect(
    renderTable(multipliersTable(efficiency(syntheticCurve({ worth: 40 }))), { width: 90 }),
  ).toMatchInlineSnapshot(`
    "What it saved: minimum – median – maximum over seeds

    labels  data multiplier     compute multiplier, FLOPs  compute multiplier, seconds
    ──────  ──────────────────  ─────────────────────────  ───────────────────────────
        64  ≥ 16×, every seed   30×, every seed            30×, every seed
       256  ≥ 4.0×, every seed  15×, every seed            15×, every seed
     1,024  ≥ 1.0×, every seed  10×, every seed            10×, every seed

    Data multiplier: labels that training from scratch needs for the adapted score ÷ labels
    adapted. Compute multiplier: cost from scratch of its best score ÷ cost adapted of first
    reaching that score."
  `);
});

test("wide letters and marks keep the columns", () => {
  const table = {
    title: "t",
    columns: [{ name: "a" }, { name: "b" }],
    rows: [
      ["日本", "x"],
      ["e\u0301", "y"],
    ],
  };
  expect(renderTable(table).split("\n").slice(4)).toEqual(["日本  x", "e\u0301     y"]);
});

test("long text breaks at spaces in the widest column, longer words are cut", () => {
  const columns = [{ name: "a" }, { name: "b", align: "right" as const }];
  const table = {
    title: "t",
    columns,
    rows: [
      ["one two three four five", "1"],
      ["x".repeat(40), "22"],
    ],
  };
  expect(renderTable(table, { width: 20 }).split("\n").slice(4)).toEqual([
    "one two three      1",
    "four five",
    `${"x".repeat(15)}…  22`,
  ]);
});

test("a terminal does not obey what data says", () => {
  const rows = [["\u001b[31mred\u0007\nline"]];
  expect(renderTable({ title: "\u001b]0;x", columns: [{ name: "a" }], rows })).not.toMatch(/[^\P{Cc}\n]/u);
});

test("text is wrapped at spaces", () => {
  expect(wrapped("one two three", 8)).toEqual(["one two", "three"]);
});
