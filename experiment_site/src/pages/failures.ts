// What participant and researchers are told when the study cannot go on.

import { RequestFailed } from "../session/api";
import type { ProblemReports } from "../session/problems";
import { strings } from "../strings";
import { StimulusMissing } from "../trial/stimuli";
import { showError } from "./pages";

/** What still goes on, such as a trial, goes on where nobody sees it. */
export function showFailure(present: HTMLElement, error: unknown): void {
  console.error(error);
  const view = present.cloneNode(false) as HTMLElement;
  present.replaceWith(view);
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

/** That the session goes on elsewhere is no problem. */
export function reportFailure(error: unknown, problems: ProblemReports): void {
  if (error instanceof StimulusMissing) {
    problems.pictureMissing(error.message);
  } else if (!(error instanceof RequestFailed && error.status === 401)) {
    problems.pageError(error);
  }
}

/** The server's errors are clauses without a capital and a full stop. */
function asSentence(clause: string): string {
  const sentence = clause.charAt(0).toUpperCase() + clause.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
