// The timing record of a trial: requested and achieved durations, and whether they agree.

import type { FrameLog, Trial } from "../contract";
import { framesFor } from "./frames";

/**
 * How far a duration may be off in ms, in frames. Below a half, so that on a screen of twice the rate a
 * missing frame is detected; above the error of rounding to whole milliseconds.
 */
const TOLERANCE = 0.4;

/** A frame: its number, missed ones counted, and its time in ms. */
export interface Moment {
  readonly frame: number;
  readonly at: number;
}

/** The requested durations of a trial, in frames of `interval` ms. */
export interface Requested {
  readonly interval: number;
  /** Whether the stimulus ends after a duration rather than with the response. */
  readonly isTimed: boolean;
  readonly stimulusFrames: number;
  readonly blankFrames: number;
}

/** The achieved times. What is drawn in one frame is visible from the next. */
export interface Achieved {
  readonly stimulusOnset: Moment;
  readonly stimulusEnd: Moment;
  readonly choicesOnset: Moment;
  /** Frames missed from the drawing of the stimulus to the onset of the choices. */
  readonly dropped: number;
}

export function requestedOf(trial: Trial, interval: number): Requested {
  const { stimulus_duration_msec, keep_stimulus_on, post_stimulus_delay_duration_msec } = trial;
  return {
    interval,
    isTimed: stimulus_duration_msec > 0 && !keep_stimulus_on,
    stimulusFrames: framesFor(stimulus_duration_msec, interval),
    blankFrames: framesFor(post_stimulus_delay_duration_msec, interval),
  };
}

/** Perfect timing, for a simulated participant. */
export function asRequested({ interval, stimulusFrames, blankFrames }: Requested): Achieved {
  const moment = (frame: number) => ({ frame, at: frame * interval });
  return {
    stimulusOnset: moment(0),
    stimulusEnd: moment(stimulusFrames),
    choicesOnset: moment(stimulusFrames + blankFrames),
    dropped: 0,
  };
}

export function frameLog(requested: Requested, achieved: Achieved): FrameLog {
  const { interval, isTimed, stimulusFrames, blankFrames } = requested;
  const { stimulusOnset, stimulusEnd, choicesOnset, dropped } = achieved;
  const isAsRequested = (frames: number, from: Moment, to: Moment) =>
    to.frame - from.frame === frames && Math.abs(to.at - from.at - frames * interval) <= TOLERANCE * interval;
  return {
    refresh_rate_hz: 1000 / interval,
    stimulus_requested_frames: isTimed ? stimulusFrames : null,
    stimulus_achieved_frames: isTimed ? stimulusEnd.frame - stimulusOnset.frame : null,
    stimulus_requested_msec: isTimed ? stimulusFrames * interval : null,
    stimulus_achieved_msec: isTimed ? stimulusEnd.at - stimulusOnset.at : null,
    blank_requested_frames: blankFrames,
    blank_achieved_frames: choicesOnset.frame - stimulusEnd.frame,
    dropped_frames: dropped,
    timing_ok:
      dropped === 0 &&
      isAsRequested(stimulusFrames, stimulusOnset, stimulusEnd) &&
      isAsRequested(blankFrames, stimulusEnd, choicesOnset) &&
      isAsRequested(stimulusFrames + blankFrames, stimulusOnset, choicesOnset),
  };
}
