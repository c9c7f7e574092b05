/** What refusals say: the subject of the tests in this folder. */
import { PlinthError } from "../../src/ir/index.js";

/** The messages of some refusals, with the code in front and `hide` (a temporary folder) taken out. */
export async function said(refusals: readonly (() => unknown)[], hide = "\0"): Promise<string> {
  const messages: string[] = [];
  for (const refusal of refusals) {
    try {
      await refusal();
    } catch (error) {
      if (!(error instanceof PlinthError)) throw error;
      messages.push(`[${error.code}] ${error.message}`);
      continue;
    }
    throw new Error(`not refused: ${refusal}`);
  }
  return messages.join("\n").replaceAll(`${hide}/`, "");
}
