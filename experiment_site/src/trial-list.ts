// The trials of a session as a list: put together from the trial set, and where to go on after a reload.

import type { Trial, Trialset } from "./contract";

/** Every trial with all of its settings, in the order shown. */
export function expandTrials(trialset: Trialset): Trial[] {
  return trialset.trials.map((trial) => ({ ...trialset.settings, ...trial }) as Trial);
}

/** Trials still to be shown: neither stored on the server (all before `nextTrial`) nor waiting to be sent. */
export function remainingTrials(trials: readonly Trial[], nextTrial: number, queued: ReadonlySet<number>): Trial[] {
  return trials.filter((trial) => trial.index >= nextTrial && !queued.has(trial.index));
}

/** Whether the test instructions belong before this trial: it is the first of a run of trials that ask for them. */
export function startsTest(trials: readonly Trial[], index: number): boolean {
  return trials[index]?.show_test_instructions === true && trials[index - 1]?.show_test_instructions !== true;
}

/** The pictures of some trials, each once, in the order in which they are needed. */
export function stimulusUrls(trials: readonly Trial[]): string[] {
  return [...new Set(trials.flatMap((trial) => trial.stimulus_url ?? []))];
}
