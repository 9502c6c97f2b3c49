// The course of one trial, frame by frame: fixation, stimulus, blank, choices, feedback, intertrial blank. Decides what is shown
// when and what counts as an answer; knows nothing of how anything is drawn.

import type { FrameLog, ResponseDevice, Trial } from "./contract";
import { FrameCounter, framesFor } from "./frames";

export type Phase = "fixation" | "stimulus" | "choice" | "feedback" | "intertrial";
export type Verdict = "correct" | "incorrect" | "too_late";

/** What the course asks of the screen; each call takes effect on the frame in which it is made. */
export interface TrialScreen {
  enter(phase: Phase): void;
  showFixation(): void;
  hideFixation(): void;
  showStimulus(): void;
  hideStimulus(): void;
  showChoices(): void;
  hideChoices(): void;
  showFeedback(verdict: Verdict, correctChoice: number): void;
  /** The feedback's lockout is over: say how to go on. */
  offerContinue(): void;
  hideFeedback(): void;
}

export interface Answer {
  readonly i_choice: number | null;
  readonly reaction_time_msec: number | null;
  readonly response_device: ResponseDevice | null;
  readonly rel_timestamp_response: number | null;
  readonly frame_log: FrameLog;
}

export class TrialCourse {
  readonly #trial: Trial;
  readonly #interval: number;
  readonly #screen: TrialScreen;
  readonly #onAnswer: (answer: Answer) => void;
  readonly #counter: FrameCounter;
  /** The steps of the trial; resumed once per frame. */
  readonly #steps: Generator<void, Answer, void>;

  /** Time of the present frame, and how many frames it is after the one before. */
  #now = 0;
  #advanced = 0;
  #dropped = 0;
  #hasFixated = false;
  #choicesShown: { readonly at: number; readonly frame_log: FrameLog } | null = null;
  #answer: Answer | null = null;
  #mayContinue = false;
  #wantsToContinue = false;

  /**
   * `interval`: the screen's frame length in ms. `onAnswer` is called when the answer is final, before any feedback: keep
   * it then, so that a reload cannot ask again with the right answer known.
   */
  constructor(trial: Trial, interval: number, screen: TrialScreen, onAnswer: (answer: Answer) => void) {
    this.#trial = trial;
    this.#interval = interval;
    this.#screen = screen;
    this.#onAnswer = onAnswer;
    this.#counter = new FrameCounter(interval);
    this.#steps = this.#run();
  }

  /** Call once per frame with the frame's time; gives the answer on the frame on which the trial is over, else null. */
  frame(now: number): Answer | null {
    this.#now = now;
    this.#advanced = this.#counter.advance(now);
    this.#dropped += Math.max(0, this.#advanced - 1);
    const step = this.#steps.next();
    return step.done === true ? step.value : null;
  }

  /** The fixation cross was clicked. */
  fixate(): void {
    this.#hasFixated = true;
  }

  /** A choice was clicked or its key pressed, at `timeStamp` on the clock of the frames. */
  respond(choice: number, device: ResponseDevice, timeStamp: number): void {
    if (this.#choicesShown === null || this.#answer !== null) {
      return;
    }
    const reactionTime = timeStamp - this.#choicesShown.at;
    // Below 0: pressed before the choices were there, though the event was delivered after.
    if (reactionTime < Math.max(0, this.#trial.pre_choice_lockout_delay_duration_msec)) {
      return;
    }
    this.#conclude({
      i_choice: choice,
      reaction_time_msec: reactionTime,
      response_device: device,
      rel_timestamp_response: timeStamp,
      frame_log: this.#choicesShown.frame_log,
    });
  }

  /** The participant wishes to leave the feedback; in vain during its lockout. */
  proceed(): void {
    this.#wantsToContinue = this.#mayContinue;
  }

  /** From one `yield` to the next is one frame: what is called in between is on screen together. */
  *#run(): Generator<void, Answer, void> {
    const trial = this.#trial;
    if (trial.show_fixation) {
      yield* this.#awaitFixation();
    }
    const frameLog = yield* this.#present();
    this.#screen.enter("choice");
    this.#screen.showChoices();
    this.#choicesShown = { at: this.#now, frame_log: frameLog };
    yield* this.#pass(this.#frames(trial.choice_duration_msec), () => this.#answer !== null);
    const answer = this.#answer ?? this.#concludeTooLate(frameLog);
    this.#screen.hideChoices();
    this.#screen.hideStimulus();
    if (trial.show_feedback && trial.i_correct_choice !== undefined) {
      yield* this.#giveFeedback(answer.i_choice, trial.i_correct_choice);
    }
    this.#screen.enter("intertrial");
    yield* this.#pass(this.#frames(trial.intertrial_delay_duration_msec));
    return answer;
  }

  /** Ends on the first frame after the click, which is the stimulus's first. */
  *#awaitFixation(): Generator<void, void, void> {
    this.#screen.enter("fixation");
    this.#screen.showFixation();
    yield* this.#pass(Number.POSITIVE_INFINITY, () => this.#hasFixated);
    this.#screen.hideFixation();
  }

  /** Stimulus and blank; ends on the frame on which the choices are due. */
  *#present(): Generator<void, FrameLog, void> {
    const { stimulus_duration_msec, keep_stimulus_on, post_stimulus_delay_duration_msec } = this.#trial;
    const isTimed = stimulus_duration_msec > 0 && !keep_stimulus_on;
    const requested = this.#frames(stimulus_duration_msec);
    const droppedBefore = this.#dropped;
    this.#screen.enter("stimulus");
    this.#screen.showStimulus();
    const achieved = yield* this.#pass(requested);
    if (isTimed) {
      this.#screen.hideStimulus();
    }
    yield* this.#pass(this.#frames(post_stimulus_delay_duration_msec));
    const dropped = this.#dropped - droppedBefore;
    return {
      refresh_rate_hz: 1000 / this.#interval,
      stimulus_requested_frames: isTimed ? requested : null,
      stimulus_achieved_frames: isTimed ? achieved : null,
      dropped_frames: dropped,
      timing_ok: dropped === 0,
    };
  }

  *#giveFeedback(choice: number | null, correctChoice: number): Generator<void, void, void> {
    const trial = this.#trial;
    const isCorrect = choice === correctChoice;
    const duration = isCorrect ? trial.reward_duration_msec : trial.incorrect_duration_msec;
    const lockout = isCorrect
      ? trial.correct_feedback_lockout_duration_msec
      : trial.incorrect_feedback_lockout_duration_msec;
    this.#screen.enter("feedback");
    this.#screen.showFeedback(isCorrect ? "correct" : choice === null ? "too_late" : "incorrect", correctChoice);
    if (duration === null) {
      yield* this.#pass(this.#frames(lockout));
      this.#mayContinue = true;
      this.#screen.offerContinue();
      yield* this.#pass(Number.POSITIVE_INFINITY, () => this.#wantsToContinue);
    } else {
      yield* this.#pass(this.#frames(duration));
    }
    this.#screen.hideFeedback();
  }

  /** Let frames pass, or stop on the first on which `until` holds; returns how many did pass, missed ones included. */
  *#pass(frames: number, until: () => boolean = () => false): Generator<void, number, void> {
    let elapsed = 0;
    while (elapsed < frames && !until()) {
      yield;
      elapsed += this.#advanced;
    }
    return elapsed;
  }

  #concludeTooLate(frameLog: FrameLog): Answer {
    return this.#conclude({
      i_choice: null,
      reaction_time_msec: null,
      response_device: null,
      rel_timestamp_response: null,
      frame_log: frameLog,
    });
  }

  #conclude(answer: Answer): Answer {
    this.#answer = answer;
    this.#onAnswer(answer);
    return answer;
  }

  #frames(msec: number): number {
    return framesFor(msec, this.#interval);
  }
}
