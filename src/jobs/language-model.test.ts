import { expect, test } from "vitest";
import { scalar } from "../ir/index.js";
import { reference } from "../runtime/index.js";
import { scorer } from "./language-model.js";

test("a score over no token is an error, not a number", async () => {
  await using session = await reference.open(new Map());
  const one = scalar(1);
  const lm = { inputs: {}, objective: { sum: one, count: one }, outputs: {} };
  const nothing = { perEpoch: 0, at: () => ({ feeds: {}, tokens: 0, examples: 0 }) };
  await expect(scorer(lm, nothing, { most: 9 })(session)).rejects.toThrow("no token of the held-out text was scored");
});
