// Runs the trials of a session with jsPsych, test instructions between them.

import { initJsPsych, type JsPsych } from "jspsych";
import { CategorisationTrial } from "./categorisation-trial";
import type { Response, Trial } from "./contract";
import { make } from "./dom";
import type { Icons } from "./icons";
import { InstructionPage } from "./instruction-page";
import { showTestInstructions } from "./pages";
import { progressBar } from "./progress-bar";
import type { Stimuli } from "./stimuli";
import { startsTest } from "./trial-list";

/** Blank between a page's button and the next stimulus, so that no one misses a brief one. */
const BLANK_AFTER_PAGE_MSEC = 500;

export interface TrialRun {
  /** All trials of the session and, of them, those still to be shown. */
  readonly trials: readonly Trial[];
  readonly remaining: readonly Trial[];
  /** The study's page before a test, as HTML. */
  readonly testInstructions: string | null;
  readonly stimuli: Stimuli;
  readonly icons: Icons;
  /** ms */
  readonly frameInterval: number;
  readonly onAnswer: (response: Response) => void;
}

/** Resolves after the last trial. */
export async function runTrials(view: HTMLElement, run: TrialRun): Promise<void> {
  const display = make("div", { class: "run" });
  const progress = progressBar(run.trials.length);
  view.replaceChildren(progress.element, display);
  await initJsPsych({ display_element: display }).run(timeline(run, progress.show));
}

function timeline(run: TrialRun, showProgress: (done: number) => void): Parameters<JsPsych["run"]>[0] {
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
    const html = run.testInstructions;
    if (html === null || !startsTest(run.trials, trial.index)) {
      return [shown];
    }
    const instructions = {
      type: InstructionPage,
      show_page: (view: HTMLElement) => showTestInstructions(view, html),
      post_trial_gap: BLANK_AFTER_PAGE_MSEC,
      record_data: false,
    };
    return [instructions, shown];
  });
}
