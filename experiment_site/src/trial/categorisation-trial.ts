// The jsPsych plugin of a whole trial: fixation, stimulus, choices, feedback and blank in one, because jsPsych empties
// the page between its trials. Connects the timeline of the trial to frames, keys and clicks.

import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../package.json";
import { type Response, responseData, type Surroundings, type Trial, trialSettingParameters } from "../contract";
import { answerKeys } from "./answer-keys";
import { asRequested, frameLog, requestedOf } from "./frame-log";
import { browserFrames } from "./frames";
import type { RingLayout } from "./ring-layout";
import { iconUrls } from "./trial-list";
import { DrawnTrialScreen, layoutOf, type ScreenEvents, type TrialImages } from "./trial-screen";
import { type Answer, TrialTimeline } from "./trial-timeline";

const info = {
  name: "categorisation-trial",
  version,
  parameters: {
    /** Position in the trial set, from 0. */
    index: { type: ParameterType.INT, default: undefined },
    block: { type: ParameterType.INT, default: 0 },
    stimulus_url: { type: ParameterType.STRING, default: null },
    /** Shape to draw instead of an image: "circle" or "triangle". */
    shape: { type: ParameterType.STRING, default: null },
    /** Shown names in ring order. */
    choice_names: { type: ParameterType.STRING, array: true, default: undefined },
    /** An icon for each choice, shown instead of its name; none: names. The page always draws shapes itself. */
    choice_image_urls: { type: ParameterType.STRING, array: true, default: [] },
    /** Left out where the answer is withheld. */
    i_correct_choice: { type: ParameterType.INT, default: null },
    ...trialSettingParameters,
    /** CSS px per degree of visual angle as measured on this screen; null: not measured, a usual distance is assumed. */
    px_per_degree: { type: ParameterType.FLOAT, default: null },
    /** Measured length of a frame, in ms; a function is called at the start of the trial. */
    frame_interval_msec: { type: ParameterType.FLOAT, default: undefined },
    /** `(now: number) => void`: called once per frame with the frame's time. */
    on_frame: { type: ParameterType.FUNCTION, default: undefined },
    /** `() => Surroundings`: called once, when the answer is final. */
    surroundings: { type: ParameterType.FUNCTION, default: undefined },
    /** `(url: string) => Promise<ImageBitmap>`: the decoded image. */
    load_stimulus: { type: ParameterType.FUNCTION, default: undefined },
    /**
     * `(urls: string[]) => Promise<ReadonlyMap<string, HTMLImageElement>>`: the loaded icons. A choice without one shows
     * its name.
     */
    load_icons: { type: ParameterType.FUNCTION, default: undefined },
    /** `(response: Response) => void`: called when the answer is final, before any feedback. */
    on_answer: { type: ParameterType.FUNCTION, default: undefined },
  },
  data: responseData,
} as const;

type Info = typeof info;
type Simulate = NonNullable<JsPsychPlugin<Info>["simulate"]>;

const SIMULATED_FIXATION_MSEC = 100;
const SIMULATED_FEEDBACK_MSEC = 100;

export class CategorisationTrial implements JsPsychPlugin<Info> {
  static readonly info = info;
  readonly #jsPsych: JsPsych;

  constructor(jsPsych: JsPsych) {
    this.#jsPsych = jsPsych;
  }

  async trial(display: HTMLElement, trial: TrialType<Info>, onLoad?: () => void): Promise<Response> {
    return run(display, trial, DrawnTrialScreen, onLoad);
  }

  /** Answers at random after a plausible time; "visual" does so by clicking through the trial as it is shown. */
  async simulate(
    trial: TrialType<Info>,
    mode: Parameters<Simulate>[1],
    options: Parameters<Simulate>[2],
    onLoad?: () => void,
  ): Promise<Response> {
    const { pluginAPI } = this.#jsPsych;
    const simulated: Answer = pluginAPI.mergeSimulationData(this.#simulatedAnswer(trial), options);
    if (mode === "data-only") {
      onLoad?.();
      const settings = trialOf(trial);
      const layout = layoutOf(settings, trial.px_per_degree ?? null);
      const response = responseOf(settings, simulated, new Date(), layout, trial.surroundings());
      trial.on_answer(response);
      return response;
    }
    class ClickedScreen extends DrawnTrialScreen {
      override showFixation(): void {
        super.showFixation();
        this.#click("fixation", SIMULATED_FIXATION_MSEC);
      }

      override showChoices(): void {
        super.showChoices();
        // They are visible, and accept answers, a frame after they are drawn.
        this.#click(`choice-${simulated.i_choice}`, trial.frame_interval_msec + (simulated.reaction_time_msec ?? 0));
      }

      override offerContinue(): void {
        super.offerContinue();
        this.#click("next", SIMULATED_FEEDBACK_MSEC);
      }

      #click(testId: string, delay: number): void {
        const target = this.root.querySelector(`[data-testid="${testId}"]`);
        if (target !== null) {
          pluginAPI.clickTarget(target, delay);
        }
      }
    }
    return run(this.#jsPsych.getDisplayElement(), trial, ClickedScreen, onLoad);
  }

  #simulatedAnswer(parameters: TrialType<Info>): Answer {
    const { randomization } = this.#jsPsych;
    const trial = trialOf(parameters);
    const reactionTime =
      trial.pre_choice_lockout_delay_duration_msec + randomization.sampleExGaussian(500, 50, 1 / 150, true);
    const requested = requestedOf(trial, parameters.frame_interval_msec);
    const isInTime = reactionTime < trial.choice_duration_msec;
    return {
      i_choice: isInTime ? randomization.randomInt(0, trial.choice_names.length - 1) : null,
      reaction_time_msec: isInTime ? reactionTime : null,
      response_device: isInTime ? "mouse" : null,
      rel_timestamp_response: isInTime ? performance.now() + reactionTime : null,
      frame_log: frameLog(requested, asRequested(requested)),
    };
  }
}

/** Show a trial on `display` and wait for its end. */
async function run(
  display: HTMLElement,
  parameters: TrialType<Info>,
  Screen: typeof DrawnTrialScreen,
  onLoad?: () => void,
): Promise<Response> {
  const trial = trialOf(parameters);
  const images = await loadImages(trial, parameters);
  const startedAt = new Date();
  const events: ScreenEvents = {
    onFixation: () => timeline.fixate(),
    onChoice: (choice, event) => timeline.respond(choice, isByKeyboard(event) ? "key" : "mouse", event.timeStamp),
    onContinue: () => timeline.proceed(),
  };
  const screen = new Screen(trial, images, events, parameters.px_per_degree ?? null);
  let response: Response | null = null;
  const timeline = new TrialTimeline(trial, parameters.frame_interval_msec, screen, (answer) => {
    response = responseOf(trial, answer, startedAt, screen.layout, parameters.surroundings());
    parameters.on_answer(response);
  });
  const listeners = new AbortController();
  listenToKeys(trial, timeline, listeners.signal);
  display.replaceChildren(screen.root);
  onLoad?.();
  return new Promise((resolve) => {
    const onFrame = (now: number) => {
      if (!screen.root.isConnected) {
        // Another page, such as an error, has replaced this trial, which never ends.
        listeners.abort();
        return;
      }
      parameters.on_frame(now);
      const isOver = timeline.frame(now);
      if (isOver && response !== null) {
        listeners.abort();
        resolve(response);
      } else {
        browserFrames.request(onFrame);
      }
    };
    browserFrames.request(onFrame);
  });
}

async function loadImages(trial: Trial, parameters: TrialType<Info>): Promise<TrialImages> {
  const stimulus: Promise<ImageBitmap> | null =
    trial.stimulus_url === null ? null : parameters.load_stimulus(trial.stimulus_url);
  const icons: Promise<ReadonlyMap<string, HTMLImageElement>> = parameters.load_icons(iconUrls([trial]));
  return { stimulus: await stimulus, icons: await icons };
}

function listenToKeys(trial: Trial, timeline: TrialTimeline, signal: AbortSignal): void {
  const keys = answerKeys(trial);
  const onKey = (event: KeyboardEvent) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === " ") {
      timeline.proceed();
      if (!(event.target instanceof HTMLButtonElement)) {
        event.preventDefault(); // it would scroll the page
      }
    }
    const choice = keys.indexOf(event.key.toLowerCase());
    if (choice >= 0) {
      timeline.respond(choice, "key", event.timeStamp);
    }
  };
  document.addEventListener("keydown", onKey, { signal });
}

/** Buttons report a press of Enter or space as a click of no mouse button; simulated clicks count as the mouse's. */
function isByKeyboard(event: UIEvent): boolean {
  return event.isTrusted && event.detail === 0;
}

function responseOf(
  trial: Trial,
  answer: Answer,
  startedAt: Date,
  layout: RingLayout,
  surroundings: Surroundings,
): Response {
  return {
    index: trial.index,
    timestamp_start: startedAt.toISOString(),
    stimulus_width_px: Math.round(layout.stimulus),
    choice_width_px: Math.round(layout.choice),
    monitor_width_px: window.screen.width,
    monitor_height_px: window.screen.height,
    surroundings,
    ...answer,
  };
}

/** jsPsych has no optional parameters and no literal types; `Trial` has. */
function trialOf(parameters: TrialType<Info>): Trial {
  const { i_correct_choice, ...others } = parameters as unknown as Trial & { i_correct_choice: number | null };
  return i_correct_choice === null ? others : { ...others, i_correct_choice };
}
