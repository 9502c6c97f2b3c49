import { describe, expect, test } from "vitest";
import { type Achieved, asRequested, frameLog, type Requested, requestedOf } from "../../src/trial/frame-log";
import { aTrial } from "../fixtures";

const RATES = [60, 90, 120, 144];

const brief: Requested = { interval: 10, isTimed: true, stimulusFrames: 6, blankFrames: 20 };

function logOf(changes: Partial<Achieved>, requested: Requested = brief) {
  return frameLog(requested, { ...asRequested(requested), ...changes });
}

const at = (frame: number, msec: number) => ({ frame, at: msec });

test("durations that came out as requested are not flagged", () => {
  expect(logOf({})).toEqual({
    refresh_rate_hz: 100,
    stimulus_requested_frames: 6,
    stimulus_achieved_frames: 6,
    stimulus_requested_msec: 60,
    stimulus_achieved_msec: 60,
    blank_requested_frames: 20,
    blank_achieved_frames: 20,
    dropped_frames: 0,
    timing_ok: true,
  });
});

test.each([
  ["a stimulus of another number of frames", { stimulusEnd: at(7, 60) }],
  ["a blank of another number of frames", { choicesOnset: at(27, 260) }],
  ["a missed frame", { dropped: 1 }],
  ["a stimulus too short in ms", { stimulusOnset: at(0, 4.1), choicesOnset: at(26, 264.1) }],
  ["a stimulus too long in ms", { stimulusEnd: at(6, 64.1) }],
  ["a stimulus that is off alone", { stimulusOnset: at(0, 3), stimulusEnd: at(6, 57.5) }],
  ["a blank that is off alone", { stimulusEnd: at(6, 57.5), choicesOnset: at(26, 263) }],
  ["a blank too short in ms", { choicesOnset: at(26, 255.9) }],
  ["choices too late, though each part is hardly off", { stimulusOnset: at(0, -3), choicesOnset: at(26, 263) }],
])("%s is flagged", (_, changes) => {
  expect(logOf(changes).timing_ok).toBe(false);
});

test("times that waver by less than half a frame are not flagged", () => {
  expect(logOf({ stimulusOnset: at(0, 1), stimulusEnd: at(6, 59) }).timing_ok).toBe(true);
});

describe.each(RATES)("on a screen of %i Hz", (actual) => {
  const frame = 1000 / actual;
  const moments = (stimulusFrames: number, round: (at: number) => number) => {
    const moment = (number: number) => ({ frame: number, at: round(5_000.25 + number * frame) });
    return { stimulusOnset: moment(0), stimulusEnd: moment(stimulusFrames), choicesOnset: moment(stimulusFrames) };
  };

  test.each([1, 2, 6, 12])(
    "%i frames are not flagged in a browser that rounds times to whole milliseconds",
    (frames) => {
      const requested = { interval: frame, isTimed: true, stimulusFrames: frames, blankFrames: 0 };
      expect(logOf(moments(frames, Math.round), requested).timing_ok).toBe(true);
    },
  );

  test.each(RATES.filter((rate) => rate / actual >= 2 || actual / rate >= 2))(
    "even one frame is flagged where it was measured as %i Hz",
    (measured) => {
      const requested = { interval: 1000 / measured, isTimed: true, stimulusFrames: 1, blankFrames: 0 };
      expect(
        logOf(
          moments(1, (at) => at),
          requested,
        ).timing_ok,
      ).toBe(false);
    },
  );

  test.each(RATES.filter((rate) => rate !== actual))(
    "six frames are flagged where it was measured as %i Hz",
    (measured) => {
      const requested = { interval: 1000 / measured, isTimed: true, stimulusFrames: 6, blankFrames: 0 };
      expect(
        logOf(
          moments(6, (at) => at),
          requested,
        ).timing_ok,
      ).toBe(false);
    },
  );
});

test("a stimulus that stays until the response has no duration", () => {
  const kept = requestedOf(aTrial({ stimulus_duration_msec: 200, keep_stimulus_on: true }), 10);
  expect(kept).toMatchObject({ isTimed: false, stimulusFrames: 20 });
  expect(logOf({}, kept)).toMatchObject({
    stimulus_requested_frames: null,
    stimulus_achieved_frames: null,
    stimulus_requested_msec: null,
    stimulus_achieved_msec: null,
    timing_ok: true,
  });
  expect(requestedOf(aTrial(), 10).isTimed).toBe(false);
});
