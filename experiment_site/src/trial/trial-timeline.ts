// The timeline of one trial, frame by frame: fixation, stimulus, blank, choices, feedback, intertrial blank. Decides what is
// shown when and what counts as an answer; knows nothing of drawing.

import type { FrameLog, ResponseDevice, Trial } from "../contract";
import { frameLog, type Moment, requestedOf } from "./frame-log";
import { FrameCounter, framesFor } from "./frames";

export type Phase = "fixation" | "stimulus" | "choice" | "feedback" | "intertrial";
export type Verdict = "correct" | "incorrect" | "too_late";

/** What the timeline asks of the screen; what is drawn in one frame is visible from the next. */
export interface TrialScreen {
  enter(phase: Phase): void;
  showFixation(): void;
  hideFixation(): void;
  showStimulus(): void;
  hideStimulus(): void;
  showChoices(): void;
  hideChoices(): void;
  showFeedback(verdict: Verdict, correctChoice: number): void;
  /** The lockout of the feedback is over: show how to continue. */
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

/** The onset of the choices, and the timing up to it. */
interface ChoicesShown {
  readonly onset: Moment;
  readonly frame_log: FrameLog;
}

export class TrialTimeline {
  readonly #trial: Trial;
  readonly #interval: number;
  readonly #screen: TrialScreen;
  readonly #onAnswer: (answer: Answer) => void;
  readonly #counter: FrameCounter;
  /** The steps of the trial; resumed once per frame. */
  readonly #steps: Generator<void, void, void>;

  /** The current frame. */
  #now: Moment = { frame: 0, at: 0 };
  #dropped = 0;
  #hasFixated = false;
  #choices: ChoicesShown | null = null;
  #answer: Answer | null = null;
  #mayContinue = false;
  #wantsToContinue = false;

  /**
   * `interval`: the screen's frame length in ms. `onAnswer` is called when the answer is final, before any
   * feedback: save it then, so that a reload cannot ask again once the right answer is known.
   */
  constructor(trial: Trial, interval: number, screen: TrialScreen, onAnswer: (answer: Answer) => void) {
    this.#trial = trial;
    this.#interval = interval;
    this.#screen = screen;
    this.#onAnswer = onAnswer;
    this.#counter = new FrameCounter(interval);
    this.#steps = this.#run();
  }

  /** Call once per frame with the frame's time; returns whether the trial is over. */
  frame(now: number): boolean {
    const advanced = this.#counter.advance(now);
    this.#now = { frame: this.#now.frame + advanced, at: now };
    this.#dropped += Math.max(0, advanced - 1);
    return this.#steps.next().done === true;
  }

  /** The fixation cross was clicked. */
  fixate(): void {
    this.#hasFixated = true;
  }

  /** A choice was clicked or its key pressed, at `timeStamp` on the clock of the frames. */
  respond(choice: number, device: ResponseDevice, timeStamp: number): void {
    if (this.#choices === null || this.#answer !== null) {
      return;
    }
    const reactionTime = timeStamp - this.#choices.onset.at;
    // Below 0: pressed before the choices were visible, although the event arrived later.
    if (reactionTime < Math.max(0, this.#trial.pre_choice_lockout_delay_duration_msec)) {
      return;
    }
    this.#conclude({
      i_choice: choice,
      reaction_time_msec: reactionTime,
      response_device: device,
      rel_timestamp_response: timeStamp,
      frame_log: this.#choices.frame_log,
    });
  }

  /** The participant wants to leave the feedback; ignored during its lockout. */
  proceed(): void {
    this.#wantsToContinue = this.#mayContinue;
  }

  /** Each `yield` ends a frame: everything drawn between two of them appears together. */
  *#run(): Generator<void, void, void> {
    const trial = this.#trial;
    if (trial.show_fixation) {
      yield* this.#awaitFixation();
    }
    const choices = yield* this.#present();
    this.#choices = choices;
    // The first of their frames has started.
    yield* this.#wait(this.#frames(trial.choice_duration_msec) - 1, () => this.#answer !== null);
    const answer = this.#answer ?? this.#concludeTooLate(choices.frame_log);
    this.#screen.hideChoices();
    this.#screen.hideStimulus();
    if (trial.show_feedback && trial.i_correct_choice !== undefined) {
      yield* this.#giveFeedback(answer.i_choice, trial.i_correct_choice);
    }
    this.#screen.enter("intertrial");
    yield* this.#wait(this.#frames(trial.intertrial_delay_duration_msec));
  }

  /** Ends on the first frame after the click, the first frame of the stimulus. */
  *#awaitFixation(): Generator<void, void, void> {
    this.#screen.enter("fixation");
    this.#screen.showFixation();
    yield* this.#wait(Number.POSITIVE_INFINITY, () => this.#hasFixated);
    this.#screen.hideFixation();
  }

  /** Stimulus, blank and choices; ends on the choices' onset. */
  *#present(): Generator<void, ChoicesShown, void> {
    const requested = requestedOf(this.#trial, this.#interval);
    const droppedBefore = this.#dropped;
    this.#screen.enter("stimulus");
    this.#screen.showStimulus();
    const stimulusOnset = yield* this.#hold(requested.stimulusFrames);
    if (requested.isTimed) {
      this.#screen.hideStimulus();
    }
    const blankOnset = yield* this.#hold(requested.blankFrames);
    this.#screen.enter("choice");
    this.#screen.showChoices();
    yield;
    const onset = this.#now;
    const stimulusEnd = blankOnset ?? onset;
    const achieved = {
      stimulusOnset: stimulusOnset ?? stimulusEnd,
      stimulusEnd,
      choicesOnset: onset,
      dropped: this.#dropped - droppedBefore,
    };
    return { onset, frame_log: frameLog(requested, achieved) };
  }

  /** Hold what was just drawn for some frames; returns its onset, or null if it appears with what is drawn next. */
  *#hold(frames: number): Generator<void, Moment | null, void> {
    if (frames === 0) {
      return null;
    }
    yield;
    const onset = this.#now;
    yield* this.#wait(frames - 1);
    return onset;
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
      yield* this.#wait(this.#frames(lockout));
      this.#mayContinue = true;
      this.#screen.offerContinue();
      yield* this.#wait(Number.POSITIVE_INFINITY, () => this.#wantsToContinue);
    } else {
      yield* this.#wait(this.#frames(duration));
    }
    this.#screen.hideFeedback();
  }

  /** Wait for some frames, including missed ones, or until the first frame on which `until` holds. */
  *#wait(frames: number, until: () => boolean = () => false): Generator<void, void, void> {
    const end = this.#now.frame + frames;
    while (this.#now.frame < end && !until()) {
      yield;
    }
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
