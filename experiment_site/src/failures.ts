// What the participant is told when the study cannot go on.

import { RequestFailed } from "./api";
import { showError } from "./pages";
import { StimulusMissing } from "./stimuli";
import { strings } from "./strings";

export function showFailure(view: HTMLElement, error: unknown): void {
  console.error(error);
  if (error instanceof StimulusMissing) {
    void showError(view, strings.stimulusTitle, strings.stimulus(error.url), strings.tryAgain);
  } else if (error instanceof RequestFailed && error.status === 401) {
    void showError(view, strings.openedElsewhereTitle, strings.openedElsewhere, strings.goOnHere);
  } else if (error instanceof RequestFailed && error.status === 409) {
    void showError(view, strings.missingTitle, strings.missing(error.missing.length), strings.tryAgain);
  } else if (error instanceof RequestFailed) {
    void showError(view, strings.refusedTitle, asSentence(error.message), strings.tryAgain);
  } else {
    void showError(view, strings.unexpectedTitle, strings.unexpected, strings.tryAgain);
  }
}

/** The server's errors are clauses without a capital and a full stop. */
function asSentence(clause: string): string {
  const sentence = clause.charAt(0).toUpperCase() + clause.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
