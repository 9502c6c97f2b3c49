// Runs the trials of a session with jsPsych, screening and test instructions between them.

import { initJsPsych, type JsPsych } from "jspsych";
import { CategorisationTrial } from "./categorisation-trial";
import type { Response, Trial } from "./contract";
import { make } from "./dom";
import type { Icons } from "./icons";
import { Interlude } from "./interlude";
import { showTestInstructions } from "./pages";
import { progressBar } from "./progress-bar";
import type { Stimuli } from "./stimuli";
import { firstBehindScreening, startsTest } from "./trial-list";

/** Blank between an interlude and the next stimulus, so that no one misses a brief one. */
const BLANK_AFTER_INTERLUDE_MSEC = 500;

export interface TrialRun {
  /** All trials of the session and, of them, those still to be shown. */
  readonly trials: readonly Trial[];
  readonly remaining: readonly Trial[];
  /** The study's page before a test, as HTML. */
  readonly testInstructions: string | null;
  /** The block after which the participant is screened; null: none. */
  readonly screeningBlock: number | null;
  /** Whether the participant goes on after that block; may show on `view` that this takes a while. */
  readonly passesScreening: (view: HTMLElement) => Promise<boolean>;
  readonly stimuli: Stimuli;
  readonly icons: Icons;
  /** ms */
  readonly frameInterval: number;
  readonly onAnswer: (response: Response) => void;
}

/** Resolves after the last trial, or with the screening if it is not passed. */
export async function runTrials(view: HTMLElement, run: TrialRun): Promise<void> {
  const display = make("div", { class: "run" });
  const progress = progressBar(run.trials.length);
  view.replaceChildren(progress.element, display);
  const jsPsych = initJsPsych({ display_element: display });
  await jsPsych.run(timeline(run, progress.show, () => jsPsych.abortExperiment()));
}

function timeline(
  run: TrialRun,
  showProgress: (done: number) => void,
  endEarly: () => void,
): Parameters<JsPsych["run"]>[0] {
  const screening = interlude(async (view) => {
    if (!(await run.passesScreening(view))) {
      endEarly();
    }
  });
  const screened = firstBehindScreening(run.trials, run.remaining, run.screeningBlock);
  const html = run.testInstructions;
  return run.remaining.flatMap((trial, position) => {
    const shown = {
      ...trial,
      type: CategorisationTrial,
      frame_interval_msec: run.frameInterval,
      load_stimulus: (url: string) => run.stimuli.decoded(url),
      load_icons: (urls: readonly string[]) => run.icons.ready(urls),
      on_answer: run.onAnswer,
      on_start: () => {
        showProgress(run.trials.length - run.remaining.length + position);
        run.stimuli.lookAhead(run.remaining.slice(position).map((coming) => coming.stimulus_url));
      },
    };
    const asks = html !== null && startsTest(run.trials, trial.index);
    return [
      ...(trial === screened ? [screening] : []),
      ...(asks ? [interlude((view) => showTestInstructions(view, html))] : []),
      shown,
    ];
  });
}

const interlude = (show: (view: HTMLElement) => Promise<void>) => ({
  type: Interlude,
  show,
  post_trial_gap: BLANK_AFTER_INTERLUDE_MSEC,
  record_data: false,
});
