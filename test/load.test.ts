/** What opening a model takes: memory for its weights once, whatever the engine. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openBase } from "../src/jobs/base.js";
import { families, parametersOf } from "../src/models/index.js";
import { present } from "./present.js";
import { writeRandomModel } from "./random-model.js";
import { temporary } from "./temporary.js";

const folder = temporary("plinth-load-");
const { gpt } = families;
const sizes = { contextLength: 64, layers: 2, heads: 4 };

describe.each(present)("%s", (name, engine) => {
  test("a model that is opened piece by piece has the weights that its folder has", async () => {
    const path = join(folder(), `small-${name}`);
    const config = gpt.config.parse({ ...sizes, vocabSize: 9000, hiddenSize: 128 });
    // the embedding, 4.6 MB, is larger than a piece
    await writeRandomModel(path, { family: gpt, config });
    const base = await openBase(path);
    const wanted = parametersOf(gpt, config);
    await using session = await base.open(engine, wanted);
    for (const [weight, value] of await base.weights(wanted)) {
      const held = await session.read(weight);
      expect(
        Buffer.compare(Buffer.from(held.data.buffer, held.data.byteOffset, held.data.byteLength), bytes(value.data)),
      ).toBe(0);
    }
  });
});
const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);

// only Linux says what the most memory of a process was
const measurable = present.map(([name]) => name).filter((name) => name !== "reference" && process.platform === "linux");
test.each(measurable)(
  "%s: slow: opening 400 MB of weights takes at most 1.2 times as much",
  { timeout: 120_000 },
  async (name) => {
    const path = join(folder(), `large-${name}`);
    // as in public models, a good part of them is the embedding
    const config = gpt.config.parse({ ...sizes, vocabSize: 40_000, hiddenSize: 768, layers: 10 });
    const weights = await writeRandomModel(path, { family: gpt, config });
    const child = fileURLToPath(new URL("load-child.ts", import.meta.url));
    const out = execFileSync(process.execPath, ["--import", "jiti/register", child, path, name], { encoding: "utf8" });
    const { grown } = JSON.parse(out) as { grown: number };
    expect(weights).toBeGreaterThan(4e8);
    expect(grown).toBeLessThan(1.2 * weights);
  },
);
