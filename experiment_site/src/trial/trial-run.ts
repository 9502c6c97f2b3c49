// Runs the trials of a session with jsPsych, screening and test instructions between them.

import { initJsPsych, type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../package.json";
import type { Response, Surroundings, Trial } from "../contract";
import { make } from "../dom";
import { showTestInstructions } from "../pages/pages";
import { progressBar } from "../pages/progress-bar";
import type { Requirement } from "../screen/requirement";
import { CategorisationTrial } from "./categorisation-trial";
import { RefreshRate } from "./frames";
import type { Icons } from "./icons";
import { whileLoading } from "./loading-note";
import type { Stimuli } from "./stimuli";
import { firstBehindScreening, startsTest } from "./trial-list";

/** Blank between an interlude and the next stimulus, so that nobody misses a brief one. */
const BLANK_AFTER_INTERLUDE_MSEC = 500;

export interface TrialRun {
  /** All trials of the session and, of them, those still to be shown. */
  readonly trials: readonly Trial[];
  readonly remaining: readonly Trial[];
  /** The study's page before a test, as HTML. */
  readonly testInstructions: string | null;
  /** The block after which the participant is screened; null: none. */
  readonly screeningBlock: number | null;
  /** Whether the participant continues after that block; may show on `view` that this takes a while. */
  readonly passesScreening: (view: HTMLElement) => Promise<boolean>;
  readonly stimuli: Stimuli;
  readonly icons: Icons;
  /** What must hold whenever a trial starts, in order of asking. */
  readonly requirements: readonly Requirement[];
  /** CSS px per degree of visual angle; null: not measured. */
  readonly pxPerDegree: number | null;
  readonly surroundings: () => Surroundings;
  /** Length of a frame, in ms, as measured before the trials. */
  readonly frameInterval: number;
  /** Called with the index of each trial as it starts. */
  readonly onTrial: (index: number) => void;
  readonly onAnswer: (response: Response) => void;
}

/** Resolves after the last trial, or after a failed screening. */
export async function runTrials(view: HTMLElement, run: TrialRun): Promise<void> {
  const display = make("div", { class: "run" });
  const progress = progressBar(run.trials.length);
  view.replaceChildren(progress.element, display);
  const jsPsych = initJsPsych({ display_element: display });
  await jsPsych.run(timeline(run, jsPsych, progress.show));
}

function timeline(
  run: TrialRun,
  jsPsych: JsPsych,
  showProgress: (done: number) => void,
): Parameters<JsPsych["run"]>[0] {
  const screening = interlude(async (view) => {
    if (!(await run.passesScreening(view))) {
      jsPsych.abortExperiment();
    }
  });
  const screened = firstBehindScreening(run.trials, run.remaining, run.screeningBlock);
  const html = run.testInstructions;
  const refreshRate = new RefreshRate(run.frameInterval);
  const requirements = run.requirements.map((requirement) => ({
    timeline: [interlude((view) => requirement.ask(view))],
    conditional_function: () => !requirement.isMet(),
  }));
  return run.remaining.flatMap((trial, position) => {
    const shown = {
      ...trial,
      type: CategorisationTrial,
      frame_interval_msec: () => refreshRate.interval,
      on_frame: (now: number) => refreshRate.addFrame(now),
      px_per_degree: run.pxPerDegree,
      surroundings: run.surroundings,
      load_stimulus: (url: string) => whileLoading(jsPsych.getDisplayElement(), run.stimuli.decoded(url)),
      load_icons: (urls: readonly string[]) => run.icons.ready(urls),
      on_answer: run.onAnswer,
      on_start: () => {
        run.onTrial(trial.index);
        showProgress(run.trials.length - run.remaining.length + position);
        run.stimuli.lookAhead(run.remaining.slice(position).map((coming) => coming.stimulus_url));
      },
    };
    const asks = html !== null && startsTest(run.trials, trial.index);
    return [
      ...(trial === screened ? [screening] : []),
      ...(asks ? [interlude((view) => showTestInstructions(view, html))] : []),
      ...requirements,
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

/** A jsPsych plugin for what stands between trials: instructions, the screening. */
const interludeInfo = {
  name: "interlude",
  version,
  parameters: {
    /** `(display: HTMLElement) => Promise<void>`: resolves when it is over. */
    show: { type: ParameterType.FUNCTION, default: undefined },
  },
  data: {},
} as const;

class Interlude implements JsPsychPlugin<typeof interludeInfo> {
  static readonly info = interludeInfo;

  async trial(display: HTMLElement, trial: TrialType<typeof interludeInfo>, onLoad?: () => void): Promise<void> {
    const over: Promise<void> = trial.show(display);
    onLoad?.();
    await over;
  }
}
