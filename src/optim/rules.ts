/** Every update rule, by name. */
import { adamw } from "./adamw.js";
import { lion } from "./lion.js";
import { muon } from "./muon.js";
import type { Rule } from "./rule.js";
import { sgd } from "./sgd.js";

/** Each makes a rule from its options. */
export const rules = { adamw, sgd, lion, muon } satisfies Record<string, (options: never) => Rule>;
export type RuleName = keyof typeof rules;
