import { expect, test } from "vitest";
import { syntheticCurve } from "../../test/synthetic-curve.js";
import { efficiency } from "./efficiency.js";
import { multipliersTable } from "./report/tables.js";
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

test("long text is cut in the widest column, escape sequences are not obeyed", () => {
  const table = {
    title: "t",
    columns: [{ name: "a" }, { name: "b", align: "right" as const }],
    rows: [
      ["\u001b[31mred\u0007", "1"],
      ["x".repeat(80), "22"],
    ],
  };
  const lines = renderTable(table, { width: 40 }).split("\n");
  expect(lines[4]).toBe(`\uFFFD[31mred\uFFFD${" ".repeat(27)}   1`);
  expect(lines[5]).toBe(`${"x".repeat(35)}…  22`);
});

test("text is wrapped at spaces", () => {
  expect(wrapped("one two three", 8)).toEqual(["one two", "three"]);
});
