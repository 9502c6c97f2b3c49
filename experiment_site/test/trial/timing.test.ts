// @vitest-environment happy-dom
// Whole trials as jsPsych runs them, on a screen that is stepped frame by frame: what was on it is told by the screen, not by the page.

import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { FrameLog, Response, Trial } from "../../src/contract";
import { Icons } from "../../src/trial/icons";
import { Stimuli } from "../../src/trial/stimuli";
import { runTrials } from "../../src/trial/trial-run";
import { aTrial, aTrialWithoutAnswer, theSurroundings } from "../fixtures";
import { type Place, SteppedScreen } from "../stepped-screen";

const RATES = [60, 90, 120, 144] as const;
type Rate = (typeof RATES)[number];

/** The frames that are nearest to a number of ms, counted by hand. */
const FRAMES: Record<Rate, Record<17 | 33 | 100 | 200 | 1_500, number>> = {
  60: { 17: 1, 33: 2, 100: 6, 200: 12, 1500: 90 },
  90: { 17: 2, 33: 3, 100: 9, 200: 18, 1500: 135 },
  120: { 17: 2, 33: 4, 100: 12, 200: 24, 1500: 180 },
  144: { 17: 2, 33: 5, 100: 14, 200: 29, 1500: 216 },
};
const BLANK_MSEC = 100;

interface Shown {
  readonly screen: SteppedScreen;
  readonly answers: readonly Response[];
  /** What the page logged of a trial. */
  logOf(index: number): FrameLog;
}

/** Show trials on a screen on which `measured` Hz were measured; `eachFrame` may change its rate, and says what is missed. */
async function show(
  trials: readonly Trial[],
  measured: number,
  eachFrame: (place: Place, screen: SteppedScreen) => number = () => 0,
): Promise<Shown> {
  const screen = new SteppedScreen(measured);
  const stimuli = new Stimuli([], 0);
  vi.spyOn(stimuli, "decoded").mockResolvedValue({ width: 10, height: 10, close() {} });
  vi.spyOn(stimuli, "lookAhead").mockReturnValue();
  const answers: Response[] = [];
  const view = document.createElement("main");
  document.body.replaceChildren(view);
  const running = runTrials(view, {
    trials,
    remaining: trials,
    testInstructions: null,
    screeningBlock: null,
    passesScreening: async () => true,
    stimuli,
    icons: new Icons([]),
    requirements: [],
    pxPerDegree: null,
    surroundings: () => theSurroundings,
    frameInterval: 1000 / measured,
    onTrial: () => {},
    onAnswer: (response) => answers.push(response),
  });
  await screen.stepUntil(running, (place) => eachFrame(place, screen));
  return {
    screen,
    answers,
    logOf: (index) => answers[index]?.frame_log ?? expect.fail(`trial ${index} has no answer`),
  };
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe.each(RATES)("at %i Hz", (hz) => {
  const durations = [
    ...[1, 2, 6, 12].map((frames) => ({ msec: (1000 * frames) / hz, frames })),
    ...([17, 33, 200, 1_500] as const).map((msec) => ({ msec, frames: FRAMES[hz][msec] })),
  ];
  const cases = durations.flatMap((duration) => [
    { ...duration, blankMsec: 0, blankFrames: 0 },
    { ...duration, blankMsec: BLANK_MSEC, blankFrames: FRAMES[hz][BLANK_MSEC] },
  ]);

  test("each stimulus and each blank is on the screen for exactly its frames", async () => {
    const trials = cases.map(({ msec, blankMsec }, index) =>
      aTrialWithoutAnswer({ index, stimulus_duration_msec: msec, post_stimulus_delay_duration_msec: blankMsec }),
    );
    const { screen, answers } = await show(trials, hz);
    const seen = trials.map(({ index }) => {
      const stimulus = screen.shown(index, "stimulus");
      const choices = screen.shown(index, "choices");
      return {
        frames: stimulus.end.frame - stimulus.first.frame,
        blankFrames: choices.first.frame - stimulus.end.frame,
      };
    });
    expect(seen).toEqual(cases.map(({ frames, blankFrames }) => ({ frames, blankFrames })));
    expect(answers.map((answer) => answer.frame_log)).toEqual(
      cases.map(({ frames, blankFrames }) => ({
        refresh_rate_hz: expect.closeTo(hz, 9),
        stimulus_requested_frames: frames,
        stimulus_achieved_frames: frames,
        stimulus_requested_msec: expect.closeTo((1000 * frames) / hz, 6),
        stimulus_achieved_msec: expect.closeTo((1000 * frames) / hz, 6),
        blank_requested_frames: blankFrames,
        blank_achieved_frames: blankFrames,
        dropped_frames: 0,
        timing_ok: true,
      })),
    );
  });

  test("reaction times count from the first frame in which the choices are seen", async () => {
    const trials = [0, 33, 200].map((msec, index) => aTrialWithoutAnswer({ index, stimulus_duration_msec: msec }));
    const { screen, answers } = await show(trials, hz);
    for (const { index } of trials) {
      const onset = screen.shown(index, "choices").first.at;
      const clicked = answers[index]?.rel_timestamp_response ?? 0;
      expect(clicked - onset).toBeCloseTo((18.25 * 1000) / hz, 6);
      expect(answers[index]?.reaction_time_msec).toBeCloseTo(clicked - onset, 6);
    }
  });
});

describe("missed frames", () => {
  const STIMULUS = 12;
  const BLANK = 6;

  /** The middle one of three trials misses frames; gives what was seen of it, and the logs of all three. */
  async function missing(
    place: Omit<Place, "trial">,
    missed: number,
  ): Promise<Shown & { frames: number; blankFrames: number }> {
    const trials = [0, 1, 2].map((index) =>
      aTrial({
        index,
        stimulus_duration_msec: 200,
        post_stimulus_delay_duration_msec: BLANK_MSEC,
        reward_duration_msec: 300,
      }),
    );
    const shown = await show(trials, 60, (at) =>
      at.trial === 1 && at.phase === place.phase && at.frame === place.frame ? missed : 0,
    );
    const { first, end } = shown.screen.shown(1, "stimulus");
    const choices = shown.screen.shown(1, "choices").first;
    expect([0, 2].map((index) => shown.logOf(index).timing_ok)).toEqual([true, true]);
    return { ...shown, frames: end.frame - first.frame, blankFrames: choices.frame - end.frame };
  }

  test.each([
    // Frames of the phase `stimulus` that are behind: the stimulus comes on with the next.
    ["before the stimulus is seen", 0, 3, { frames: STIMULUS, blankFrames: BLANK }],
    ["while the stimulus is seen", 4, 2, { frames: STIMULUS, blankFrames: BLANK }],
    ["in which the stimulus was to be hidden", STIMULUS - 1, 1, { frames: STIMULUS + 1, blankFrames: BLANK }],
    ["in which the stimulus was to be gone", STIMULUS, 2, { frames: STIMULUS + 2, blankFrames: BLANK }],
    ["in the blank", STIMULUS + 3, 1, { frames: STIMULUS, blankFrames: BLANK }],
    ["in which the choices were to be drawn", STIMULUS + BLANK - 1, 4, { frames: STIMULUS, blankFrames: BLANK + 4 }],
  ])("%s are logged as they were, and flagged", async (_, behind, missed, expected) => {
    const { frames, blankFrames, logOf } = await missing({ phase: "stimulus", frame: behind }, missed);
    expect({ frames, blankFrames }).toEqual(expected);
    expect(logOf(1)).toMatchObject({
      stimulus_requested_frames: STIMULUS,
      stimulus_achieved_frames: frames,
      stimulus_achieved_msec: expect.closeTo((frames * 1000) / 60, 6),
      blank_requested_frames: BLANK,
      blank_achieved_frames: blankFrames,
      dropped_frames: missed,
      timing_ok: false,
    });
  });

  test("before the choices are seen are flagged", async () => {
    const { blankFrames, logOf } = await missing({ phase: "choice", frame: 0 }, 2);
    expect(blankFrames).toBe(BLANK + 2);
    expect(logOf(1)).toMatchObject({ blank_achieved_frames: BLANK + 2, dropped_frames: 2, timing_ok: false });
  });

  test.each([
    ["choice", 1],
    ["choice", 10],
    ["feedback", 5],
    ["intertrial", 3],
  ])("in the phase %s, frame %i, are no matter", async (phase, frame) => {
    const { frames, blankFrames, logOf } = await missing({ phase, frame }, 3);
    expect({ frames, blankFrames }).toEqual({ frames: STIMULUS, blankFrames: BLANK });
    expect(logOf(1)).toMatchObject({ dropped_frames: 0, timing_ok: true });
  });
});

describe.each(RATES.flatMap((from) => RATES.filter((to) => to !== from).map((to) => [from, to] as const)))(
  "a window that comes from a screen of %i Hz to one of %i Hz",
  (from, to) => {
    const CHANGED = 2;
    let shown: Shown;

    beforeAll(async () => {
      const trials = Array.from({ length: 5 }, (_, index) =>
        aTrialWithoutAnswer({ index, stimulus_duration_msec: 200, intertrial_delay_duration_msec: 600 }),
      );
      shown = await show(trials, from, (place, screen) => {
        if (place.trial === CHANGED && place.phase === "stimulus") {
          screen.hz = to;
        }
        return 0;
      });
    });

    test("has the trial flagged that is shown meanwhile, and no other", () => {
      expect(shown.answers.map((answer) => answer.frame_log.timing_ok)).toEqual([true, true, false, true, true]);
    });

    test("shows the later ones for the frames of its new rate", () => {
      for (const [index, hz] of [from, from, null, to, to].entries()) {
        if (hz !== null) {
          const { first, end } = shown.screen.shown(index, "stimulus");
          expect(end.frame - first.frame).toBe(FRAMES[hz][200]);
          expect(shown.logOf(index).refresh_rate_hz).toBeCloseTo(hz, 6);
        }
      }
    });
  },
);
