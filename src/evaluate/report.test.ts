import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { type Synthetic, syntheticCurve } from "../../test/synthetic-curve.js";
import type { ReportFacts, RunFacts } from "./facts.js";
import { factTables } from "./report/tables.js";
import { reportHtml, writeReport } from "./report.js";

const hostile = `</p><script>alert("1")</script>\u0000\u001b[31m & 'x' " onload="y`;
const run: RunFacts = {
  name: `gpt ${hostile}`,
  purpose: "pretrain",
  steps: 50,
  ended: "finished",
  losses: Array.from({ length: 50 }, (_, i) => ({ step: i + 1, loss: 9 / (i + 1) })),
  scores: [{ step: 50, scores: { loss: 0.2 } }],
  result: { loss: 0.2, bitsPerByte: 1.5 },
  samples: [{ step: 50, text: hostile }],
  cost: { tokens: 6400, seconds: 12, flops: 3e12 },
  warnings: [hostile],
};
const length = { unit: "tokens", total: 900, least: 3, median: 9, p95: 20, most: 40 } as const;
const facts: ReportFacts = {
  title: `Quickstart ${hostile}`,
  date: new Date(0),
  command: `plinth adapt ${hostile}`,
  curve: syntheticCurve(),
  runs: [run],
  data: [{ name: hostile, use: "test", examples: 12, note: hostile }],
  doctor: {
    ok: true,
    splits: { train: { examples: 100, characters: 5000, length } },
    findings: [
      { severity: "warning", code: "duplicate", split: "train", count: 2, message: hostile, ids: [hostile], help: "" },
    ],
  },
  predictions: [{ text: hostile, label: hostile, adapted: hostile, scratch: "no" }],
  environment: { [hostile]: hostile },
  limits: [hostile],
};
const dom = (html: string) => parseHTML(html).document;
const about = async (o: Synthetic) =>
  dom(await reportHtml({ title: "t", date: new Date(0), curve: syntheticCurve(o) }));

describe("the page", async () => {
  const html = await reportHtml(facts);
  const document = dom(html);

  test("shows what it is given and never runs or obeys it", () => {
    expect(document.querySelectorAll("script").length).toBe(0);
    expect(
      [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes]).filter((a) => a.name.startsWith("on")),
    ).toEqual([]);
    expect(document.querySelector("ol.samples p")!.textContent).toContain(`<script>alert("1")</script>`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that they are gone is the claim
    expect(html).not.toMatch(/[\u0000-\u0008\u001b]/);
  });
  test("loads nothing from anywhere", () => {
    expect(document.querySelectorAll("link, img, iframe, object, embed, source, base").length).toBe(0);
    expect(html.replaceAll("http-equiv", "")).not.toMatch(/https?:|url\(|@import|src=/);
    expect(document.querySelector("meta[http-equiv]")!.getAttribute("content")).toContain("default-src 'none'");
  });
  test("is small, even with every plot drawn for a desk and for a phone", () => {
    expect(html.length).toBeLessThan(250_000);
    expect(document.querySelectorAll(".wide svg").length).toBe(document.querySelectorAll(".narrow svg").length);
    expect(document.querySelectorAll(".wide svg").length).toBeGreaterThanOrEqual(8);
  });
  test("tells in words what each plot shows", () => {
    const labels = [...document.querySelectorAll(".wide svg")].map((svg) => svg.getAttribute("aria-label"));
    expect(labels[0]).toBe(
      "accuracy against labelled examples. Medians: from scratch 0.225 at 64, 0.390 at 256, 0.574 at 1,024; " +
        "adapted 0.483 at 64, 0.654 at 256, 0.774 at 1,024.",
    );
    for (const svg of document.querySelectorAll("svg")) expect(svg.getAttribute("role")).toBe("img");
    for (const label of labels) expect(label!.length).toBeGreaterThan(30);
  });
  test("has one title, one first heading, a language, and a scope for every table heading", () => {
    expect(document.querySelectorAll("h1").length).toBe(1);
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    expect(document.title).toContain("Quickstart");
    for (const th of document.querySelectorAll("th")) expect(th.getAttribute("scope")).toMatch(/row|col/);
  });
  test("says what the terminal's tables say", () => {
    const told = document.body.textContent!.replaceAll(/\s+/g, " ");
    for (const table of factTables({ ...facts, curve: syntheticCurve() }))
      for (const cell of table.rows.flat().slice(0, 8))
        if (!cell.includes("<")) expect(told).toContain(cell.replaceAll(/\s+/g, " "));
  });
});

describe("the headline is what was measured", () => {
  test("a benefit, with its multiplier", async () => {
    const page = await about({ worth: 8 });
    expect(page.querySelector("h1")!.textContent).toBe("Pre-training was worth 8.1 times the labels");
    expect(page.querySelector(".verdict")!.textContent).toBe("Benefit");
  });
  test("a bound is called a bound", async () => {
    expect((await about({ worth: 40 })).querySelector("h1")!.textContent).toBe(
      "Pre-training was worth at least 16 times the labels",
    );
  });
  test("no benefit", async () => {
    const page = await about({ worth: 1, speed: 1, noise: 0.02 });
    expect(page.querySelector("h1")!.textContent).toBe("Pre-training brought no benefit here");
    expect(page.body.textContent).toContain("never");
  });
  test("harm", async () => {
    const page = await about({ worth: 0.3, speed: 0.7 });
    expect(page.querySelector("h1")!.textContent).toBe("Pre-training did harm here");
    expect(page.querySelector(".verdict")!.getAttribute("class")).toContain("harm");
    expect(page.body.textContent).toContain("3 of the adapted runs never got there");
  });
  test("too few seeds", async () => {
    expect((await about({ seeds: [1] })).querySelector("h1")!.textContent).toContain("Too few seeds");
  });
});

test("every honest limit that follows from the facts is told", async () => {
  const text = (await about({})).body.textContent!;
  expect(text).toContain("one time in 8");
  expect(text).toContain("Dotted: always the most frequent label.");
  expect(text).toContain("Always answering with the most frequent label would score 0.142");
  expect(text).toContain("Energy was not measured but estimated: processor seconds × 12 W per busy core");
  expect(text).toContain("Both arms also use the labels of 1,000 validation examples");
  expect(text).toContain("Fewer than three seeds: unproven.");
});

test("runs without a curve are reported too, several in one plot", async () => {
  const page = dom(await reportHtml({ title: "Two runs", date: new Date(0), runs: [run, { ...run, name: "other" }] }));
  expect(page.querySelector("h1")!.textContent).toBe("Two runs");
  expect(page.querySelectorAll(".wide svg").length).toBe(1);
  expect(dom(await reportHtml({ title: "Nothing", date: new Date(0) })).querySelector("h1")!.textContent).toBe(
    "Nothing",
  );
});

test("the file is written whole", async () => {
  const folder = mkdtempSync(join(tmpdir(), "report-"));
  await writeReport(join(folder, "report.html"), facts);
  expect(readFileSync(join(folder, "report.html"), "utf8")).toBe(await reportHtml(facts));
  rmSync(folder, { recursive: true });
});
