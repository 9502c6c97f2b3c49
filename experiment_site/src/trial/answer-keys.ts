// The keys that select the choices.

import type { Trial } from "../contract";

/**
 * The keys of a trial's choices, in ring order; none if there are more choices than digits, because keys for some choices
 * only would favour them.
 */
export function answerKeys(trial: Pick<Trial, "choice_names" | "keypress_fj_response">): string[] {
  const n = trial.choice_names.length;
  if (trial.keypress_fj_response && n === 2) {
    return ["f", "j"];
  }
  return n <= 9 ? Array.from({ length: n }, (_, i) => String(i + 1)) : [];
}
