/** The doctor: each thing that can be wrong with data, found, counted and named. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type DoctorOptions, examine, type Row, rows, trainTokenizer } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "plinth-doctor-"));
afterAll(() => rmSync(folder, { recursive: true }));

const row = (id: string, text: string, label?: string): Row => ({
  at: id,
  fields: { text, ...(label !== undefined && { label }) },
});
const good = Array.from({ length: 40 }, (_, i) =>
  row(`train:${i}`, `text number ${i} of many`, i % 2 ? "odd" : "even"),
);
const held = [row("test:1", "something else", "odd"), row("test:2", "and another", "even")];
const classify: DoctorOptions = { task: "text-classification" };

async function findings(train: Row[], test: Row[] | undefined, o = classify) {
  const report = await examine({ train, ...(test && { test }) }, o);
  return report.findings.map(
    ({ severity, code, split, count, ids }) => `${severity} ${code} ${split} ${count}: ${ids.join(", ")}`,
  );
}

test("good data have no findings, and a summary", async () => {
  const report = await examine({ train: good, test: held }, classify);
  expect(report).toMatchInlineSnapshot(`
    {
      "findings": [],
      "ok": true,
      "splits": {
        "test": {
          "characters": 25,
          "examples": 2,
          "labels": {
            "even": 1,
            "odd": 1,
          },
          "length": {
            "least": 11,
            "median": 11,
            "most": 14,
            "p95": 14,
            "total": 25,
            "unit": "characters",
          },
        },
        "train": {
          "characters": 870,
          "examples": 40,
          "labels": {
            "even": 20,
            "odd": 20,
          },
          "length": {
            "least": 21,
            "median": 22,
            "most": 22,
            "p95": 22,
            "total": 870,
            "unit": "characters",
          },
        },
      },
    }
  `);
});

test("what is wrong is counted and named", async () => {
  const bad = [
    ...good,
    row("empty", "  ", "odd"),
    row("again", "Text number 3, of many!", "odd"),
    row("other", "text number 4 of many", "odd"),
    row("none", "no label here"),
    row("spaces", "label with a space", "odd "),
    row("lost", "caf\ufffd", "even"),
    { at: "column", fields: { label: "odd" } },
  ];
  expect(await findings(bad, held)).toMatchInlineSnapshot(`
    [
      "error missing-text train 1: column",
      "error empty train 1: empty",
      "error unlabelled train 1: none",
      "warning replacement train 1: lost",
      "warning label-spaces train 1: spaces",
      "warning duplicate train 2: again, other",
      "warning conflict train 1: train:4 and other",
      "warning unasked-label test 1: odd ",
      "warning single-example train 1: odd ",
    ]
  `);
});

test("the same text on both sides is leakage, whatever its case and punctuation, unless allowed", async () => {
  const leaky = [...held, row("test:3", "Text number 7 of many.", "odd")];
  expect(await findings(good, leaky)).toEqual(["error leakage test 1: test:3 = train:7"]);
  const allowed = await examine({ train: good, test: leaky }, { ...classify, allow: ["leakage"] });
  expect([allowed.ok, allowed.findings[0]?.severity]).toEqual([true, "warning"]);
});

test("labels missing from one side, or from all but one example", async () => {
  expect(
    await findings([...good, row("x", "a rare one", "rare")], [...held, row("y", "unheard of", "new")]),
  ).toMatchInlineSnapshot(`
    [
      "error unseen-label test 1: new",
      "warning unasked-label test 1: rare",
      "warning single-example train 1: rare",
    ]
  `);
  expect(
    await findings(
      good.filter((_, i) => i % 2),
      undefined,
    ),
  ).toEqual(["error one-label train 1: odd"]);
});

test("lengths and unknown tokens are measured by the tokeniser", async () => {
  const tokenizer = await trainTokenizer(
    good.map((one) => String(one.fields.text)),
    { kind: "words", vocabSize: 60 },
  );
  const odd = [
    ...good,
    row("long", "text of many ".repeat(9), "odd"),
    row("special", "text [MASK] of many", "odd"),
    row("start", "[CLS] text of", "odd"),
  ];
  const o = { ...classify, tokenizer, contextLength: 16 };
  expect(
    await findings(odd, [row("strange", "zebra quagga okapi", "odd"), row("fine", "text of number", "even")], o),
  ).toMatchInlineSnapshot(`
    [
      "error double-start train 1: start",
      "error too-long train 1: long",
      "error unknown-tokens test 3: ",
      "warning special-in-text train 1: special",
      "warning unknown-tokens train 40: ",
    ]
  `);
  expect(
    (await findings(odd, undefined, { ...o, overflow: "truncate" })).filter((line) => line.includes("too-long")),
  ).toEqual(["warning too-long train 1: long"]);
});

test("a corpus for a language model: long documents are fine, too little of it and no end are not", async () => {
  const tokenizer = await trainTokenizer(["ab", "ba"], { kind: "characters", vocabSize: 10 });
  const o: DoctorOptions = { task: "language-modelling", tokenizer, contextLength: 8 };
  expect(await findings([row("a", "ab".repeat(50))], undefined, o)).toEqual([]);
  expect(await findings([row("a", "ab")], undefined, o)).toEqual(["error corpus-small train 2: "]);
  const { eos: _, bos: __, ...special } = tokenizer.special;
  expect(
    await findings([row("a", "ab".repeat(50))], undefined, { ...o, tokenizer: { ...tokenizer, special } }),
  ).toEqual(["error no-end undefined 1: "]);
});

test("a file that cannot be read to its end is a finding with its place", async () => {
  const path = join(folder, "cut.jsonl");
  writeFileSync(path, '{"text": "a", "label": "b"}\n{"text": "c", "la\n');
  const report = await examine({ train: rows(path) }, classify);
  expect(report.ok).toBe(false);
  expect(report.findings[0]).toMatchObject({ code: "unreadable", ids: [`${path}:2`] });
  expect(report.splits.train?.examples).toBe(1);
});
