/** What a quickstart throws away, and what it leaves. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { quickstart } from "./quickstart.js";

const folder = temporary("plinth-quickstart-");

test("--fresh throws away what a quickstart writes, and nothing else", async () => {
  const out = join(folder(), "fresh");
  for (const name of ["gpt", "adapt"]) mkdirSync(join(out, name), { recursive: true });
  const [own, strays] = [
    ["gpt/run.json", "adapt/curve.json", "report.html"],
    ["mine.txt", "notes.html"],
  ];
  for (const name of [...own, ...strays]) writeFileSync(join(out, name), "{}");
  const events = quickstart({ out, fresh: true });
  expect((await events.next()).value).toMatchObject({ part: "doctor" });
  await events.return(undefined);
  expect(readdirSync(out)).toEqual(strays);
});
