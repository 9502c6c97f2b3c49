// Shows the participant, and reports to the researchers, why the study cannot continue.

import { RequestFailed } from "../session/api";
import type { ProblemReports } from "../session/problems";
import { strings } from "../strings";
import { StimulusMissing } from "../trial/stimuli";
import { showError } from "./pages";

/** Replaces the view: whatever still runs, such as a trial, runs out of sight. */
export function showFailure(current: HTMLElement, error: unknown): void {
  console.error(error);
  const view = current.cloneNode(false) as HTMLElement;
  current.replaceWith(view);
  if (error instanceof StimulusMissing) {
    void showError(view, strings.stimulusTitle, strings.stimulus(error.url), strings.tryAgain);
  } else if (error instanceof RequestFailed && error.status === 401) {
    void showError(view, strings.openedElsewhereTitle, strings.openedElsewhere, strings.continueHere);
  } else if (error instanceof RequestFailed && error.status === 409) {
    void showError(view, strings.missingTitle, strings.missing(error.missing.length), strings.tryAgain);
  } else if (error instanceof RequestFailed) {
    void showError(view, strings.refusedTitle, asSentence(error.message), strings.tryAgain);
  } else {
    void showError(view, strings.unexpectedTitle, strings.unexpected, strings.tryAgain);
  }
}

/** A session opened elsewhere is no problem. */
export function reportFailure(error: unknown, problems: ProblemReports): void {
  if (error instanceof StimulusMissing) {
    problems.imageMissing(error.message);
  } else if (!(error instanceof RequestFailed && error.status === 401)) {
    problems.pageError(error);
  }
}

/** The server's errors are clauses without a capital and a full stop. */
function asSentence(clause: string): string {
  const sentence = clause.charAt(0).toUpperCase() + clause.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
