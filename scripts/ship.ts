/** Puts a finished pre-training run among the models that travel with plinth: `node --import jiti/register scripts/ship.ts runs/x models/x`. */
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error("usage: ship.ts <run folder> <folder under models/>");

/** A loss every so many steps is enough for the record; scores, the start and the end are all kept. */
const every = 50;

await mkdir(to, { recursive: true });
for (const name of await readdir(join(from, "model"))) {
  // the card is written by hand: it says more than a run knows
  if (name !== "README.md") await copyFile(join(from, "model", name), join(to, name));
}
await copyFile(join(from, "run.json"), join(to, "run.json"));
const lines = (await readFile(join(from, "events.jsonl"), "utf8")).split("\n").filter(Boolean);
const kept = lines.filter((line) => {
  const event = JSON.parse(line) as { type: string; step: number };
  if (event.type === "saved") return false;
  return event.type !== "step" || event.step === 1 || event.step % every === 0;
});
await writeFile(join(to, "events.jsonl"), `${kept.join("\n")}\n`);
console.log(`${to}: ${kept.length} of ${lines.length} events`);
