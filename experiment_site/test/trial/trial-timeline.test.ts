import { describe, expect, test } from "vitest";
import type { Trial } from "../../src/contract";
import { type Answer, TrialTimeline } from "../../src/trial/trial-timeline";
import { aTrial, aTrialWithoutAnswer } from "../fixtures";

const RATES = [60, 90, 120, 144];

/** A screen that runs at an exact rate, drops the given frames, and records what was drawn in which frame. */
class Stepped {
  readonly log: { what: string; frame: number }[] = [];
  readonly answers: Answer[] = [];
  readonly timeline: TrialTimeline;
  readonly interval: number;
  frame = -1;
  end: number | null = null;

  constructor(trial: Trial, hz = 60) {
    this.interval = 1000 / hz;
    const note =
      (call: string) =>
      (...details: unknown[]) => {
        this.log.push({ what: [call, ...details].join(" "), frame: this.frame });
      };
    const screen = {
      enter: note("enter"),
      showFixation: note("showFixation"),
      hideFixation: note("hideFixation"),
      showStimulus: note("showStimulus"),
      hideStimulus: note("hideStimulus"),
      showChoices: note("showChoices"),
      hideChoices: note("hideChoices"),
      showFeedback: note("showFeedback"),
      offerContinue: note("offerContinue"),
      hideFeedback: note("hideFeedback"),
    };
    this.timeline = new TrialTimeline(trial, this.interval, screen, (answer) => this.answers.push(answer));
  }

  /** Time of a frame, or of a moment between two. */
  at(frame: number): number {
    return 5_000 + frame * this.interval;
  }

  step(frames = 1, dropping: readonly number[] = []): this {
    for (let i = 0; i < frames && this.end === null; i += 1) {
      this.frame += 1;
      if (!dropping.includes(this.frame)) {
        this.end = this.timeline.frame(this.at(this.frame)) ? this.frame : null;
      }
    }
    return this;
  }

  /** The frame in which something was drawn. */
  frameOf(what: string): number | undefined {
    return this.log.find((entry) => entry.what === what)?.frame;
  }

  get choicesOnset(): number {
    const drawn = this.frameOf("showChoices");
    return drawn === undefined ? expect.fail("no choices were drawn") : drawn + 1;
  }

  fixate(): this {
    this.timeline.fixate();
    return this;
  }

  respond(choice: number, afterOnsetMsec: number): this {
    this.timeline.respond(choice, "mouse", this.at(this.choicesOnset) + afterOnsetMsec);
    return this;
  }
}

describe.each(RATES)("at %i Hz", (hz) => {
  test.each([17, 33, 200, 1_500])("a stimulus of %i ms is shown to the frame", (msec) => {
    const frames = Math.round((msec * hz) / 1000);
    const screen = new Stepped(aTrial({ stimulus_duration_msec: msec, post_stimulus_delay_duration_msec: 200 }), hz);
    screen.step(frames + hz);
    expect(screen.frameOf("showStimulus")).toBe(0);
    expect(screen.frameOf("hideStimulus")).toBe(frames);
    expect(screen.frameOf("showChoices")).toBe(frames + Math.round((200 * hz) / 1000));
  });

  test.each([1, 2, 6, 12])("a stimulus of %i frames is shown for as many, and logged", (frames) => {
    const screen = new Stepped(aTrial({ stimulus_duration_msec: (1000 * frames) / hz }), hz);
    screen.step(frames + 2).respond(1, 400);
    expect(screen.answers[0]?.frame_log).toEqual({
      refresh_rate_hz: expect.closeTo(hz, 9),
      stimulus_requested_frames: frames,
      stimulus_achieved_frames: frames,
      stimulus_requested_msec: expect.closeTo((1000 * frames) / hz, 9),
      stimulus_achieved_msec: expect.closeTo((1000 * frames) / hz, 9),
      blank_requested_frames: 0,
      blank_achieved_frames: 0,
      dropped_frames: 0,
      timing_ok: true,
    });
  });

  test("the deadline falls on its frame", () => {
    const screen = new Stepped(aTrialWithoutAnswer({ choice_duration_msec: 1_500 }), hz);
    screen.step(2 * hz);
    expect(screen.frameOf("hideChoices")).toBe(1.5 * hz);
    expect(screen.answers).toMatchObject([{ i_choice: null, reaction_time_msec: null, response_device: null }]);
  });
});

describe.each([60, 144])("a fixation cross at %i Hz", (hz) => {
  const brief = aTrial({ show_fixation: true, stimulus_duration_msec: 200, post_stimulus_delay_duration_msec: 100 });
  const stimulusFrames = Math.round(0.2 * hz);
  const blankFrames = Math.round(0.1 * hz);
  const wholeFrames = { stimulus_achieved_frames: stimulusFrames, dropped_frames: 0, timing_ok: true };

  test("is all that is shown before it is clicked", () => {
    const screen = new Stepped(brief, hz).step(10 * hz);
    expect(screen.log).toEqual([
      { what: "enter fixation", frame: 0 },
      { what: "showFixation", frame: 0 },
    ]);
  });

  test("gives way to the stimulus on the first frame after the click", () => {
    const screen = new Stepped(brief, hz).step(50).fixate();
    expect(screen.frameOf("hideFixation")).toBeUndefined();
    screen.step(1);
    expect(screen.log.slice(2)).toEqual([
      { what: "hideFixation", frame: 50 },
      { what: "enter stimulus", frame: 50 },
      { what: "showStimulus", frame: 50 },
    ]);
  });

  test.each([1, 2, 77, 5_000])("that is clicked after %i frames changes no count of frames", (waiting) => {
    const screen = new Stepped(brief, hz).step(waiting).fixate().step(hz).respond(1, 300);
    expect(screen.frameOf("hideStimulus")).toBe(waiting + stimulusFrames);
    expect(screen.frameOf("showChoices")).toBe(waiting + stimulusFrames + blankFrames);
    expect(screen.answers).toMatchObject([
      { reaction_time_msec: expect.closeTo(300, 9), frame_log: { ...wholeFrames } },
    ]);
  });

  test("takes the frames missed while it waits to itself", () => {
    // The last of them between the click and the stimulus's first frame.
    const screen = new Stepped(brief, hz).step(20, [3, 4, 5, 9]).fixate().step(hz, [20, 21]).respond(1, 300);
    expect(screen.frameOf("showStimulus")).toBe(22);
    expect(screen.frameOf("hideStimulus")).toBe(22 + stimulusFrames);
    expect(screen.answers[0]?.frame_log).toMatchObject(wholeFrames);
  });

  test("leaves the frames missed after it to the stimulus", () => {
    const screen = new Stepped(brief, hz).step(20, [7]).fixate().step(hz, [23]).respond(1, 300);
    expect(screen.answers[0]?.frame_log).toMatchObject({ ...wholeFrames, dropped_frames: 1, timing_ok: false });
  });
});

test("a trial without a fixation cross begins with its stimulus", () => {
  const screen = new Stepped(aTrial()).step(1);
  expect(screen.log[0]).toEqual({ what: "enter stimulus", frame: 0 });
  expect(screen.frameOf("showFixation")).toBeUndefined();
});

describe("a frame that was missed", () => {
  const brief = aTrial({ stimulus_duration_msec: 100 });

  test("does not lengthen the stimulus, but is logged and flagged", () => {
    const screen = new Stepped(brief).step(20, [3]).respond(1, 400);
    expect(screen.frameOf("hideStimulus")).toBe(6);
    expect(screen.answers[0]?.frame_log).toMatchObject({
      stimulus_requested_frames: 6,
      stimulus_achieved_frames: 6,
      dropped_frames: 1,
      timing_ok: false,
    });
  });

  test("at the stimulus's end shows in the frames achieved", () => {
    const screen = new Stepped(brief).step(20, [6, 7]).respond(1, 400);
    expect(screen.answers[0]?.frame_log).toMatchObject({
      stimulus_achieved_frames: 8,
      dropped_frames: 2,
      timing_ok: false,
    });
  });

  test("right after the drawing delays the onset, from which the stimulus then has its time", () => {
    const screen = new Stepped(brief).step(20, [1]).respond(1, 400);
    expect(screen.frameOf("hideStimulus")).toBe(7);
    expect(screen.answers[0]?.frame_log).toMatchObject({
      stimulus_achieved_frames: 6,
      stimulus_achieved_msec: expect.closeTo(100, 9),
      dropped_frames: 1,
      timing_ok: false,
    });
  });

  test("right after the hiding keeps the stimulus on", () => {
    const screen = new Stepped(brief).step(20, [7]).respond(1, 400);
    expect(screen.frameOf("hideStimulus")).toBe(6);
    expect(screen.answers[0]?.frame_log).toMatchObject({
      stimulus_achieved_frames: 7,
      stimulus_achieved_msec: expect.closeTo((7 * 1000) / 60, 9),
      dropped_frames: 1,
      timing_ok: false,
    });
  });

  test("in the blank is counted there", () => {
    const trial = aTrial({ stimulus_duration_msec: 100, post_stimulus_delay_duration_msec: 100 });
    const screen = new Stepped(trial).step(30, [12, 13]).respond(1, 400);
    expect(screen.answers[0]?.frame_log).toMatchObject({
      stimulus_achieved_frames: 6,
      blank_requested_frames: 6,
      blank_achieved_frames: 8,
      dropped_frames: 2,
      timing_ok: false,
    });
  });

  test("after the onset of the choices does not count against the stimulus", () => {
    const screen = new Stepped(brief).step(20, [8, 9, 10]).respond(1, 400);
    expect(screen.choicesOnset).toBe(7);
    expect(screen.answers[0]?.frame_log).toMatchObject({ dropped_frames: 0, timing_ok: true });
  });
});

describe("a stimulus that stays until the response", () => {
  test("comes with the choices and stays until the response", () => {
    const screen = new Stepped(aTrialWithoutAnswer()).step(30);
    expect(screen.frameOf("showChoices")).toBe(0);
    expect(screen.frameOf("hideStimulus")).toBeUndefined();
    screen.respond(2, 450).step();
    expect(screen.frameOf("hideStimulus")).toBe(30);
    expect(screen.answers[0]?.frame_log).toMatchObject({
      stimulus_requested_frames: null,
      stimulus_achieved_frames: null,
      stimulus_requested_msec: null,
      stimulus_achieved_msec: null,
      timing_ok: true,
    });
  });

  test("is flagged when it and the choices came on late", () => {
    const screen = new Stepped(aTrialWithoutAnswer()).step(30, [1, 2]).respond(2, 450);
    expect(screen.answers[0]?.frame_log).toMatchObject({ dropped_frames: 2, timing_ok: false });
  });

  test("stays on through the choices when it is kept on", () => {
    const trial = aTrialWithoutAnswer({
      stimulus_duration_msec: 200,
      keep_stimulus_on: true,
      post_stimulus_delay_duration_msec: 100,
    });
    const screen = new Stepped(trial).step(30);
    expect(screen.frameOf("showChoices")).toBe(12 + 6);
    expect(screen.frameOf("hideStimulus")).toBeUndefined();
  });
});

describe("a response", () => {
  test("is timed from the frame after the drawing of the choices to the event", () => {
    const screen = new Stepped(aTrial({ stimulus_duration_msec: 200 })).step(30).respond(3, 231.7);
    const [answer] = screen.answers;
    expect(answer?.reaction_time_msec).toBeCloseTo(231.7, 9);
    expect(answer).toMatchObject({ i_choice: 3, response_device: "mouse" });
    expect(screen.frameOf("showChoices")).toBe(12);
    expect(answer?.rel_timestamp_response).toBeCloseTo(screen.at(13) + 231.7, 9);
  });

  test("is timed from the onset also where that came late", () => {
    const screen = new Stepped(aTrial({ stimulus_duration_msec: 200 })).step(30, [13, 14]);
    screen.timeline.respond(3, "mouse", screen.at(15) + 231.7);
    expect(screen.answers[0]?.reaction_time_msec).toBeCloseTo(231.7, 9);
  });

  test("before the choices are seen does not count, though they are drawn", () => {
    const screen = new Stepped(aTrial({ stimulus_duration_msec: 200 })).step(13);
    expect(screen.frameOf("showChoices")).toBe(screen.frame);
    screen.timeline.respond(0, "key", screen.at(12.5));
    screen.step(1);
    screen.timeline.respond(1, "key", screen.at(12.9));
    expect(screen.answers).toEqual([]);
    screen.timeline.respond(2, "key", screen.at(13));
    expect(screen.answers).toMatchObject([{ i_choice: 2, reaction_time_msec: 0 }]);
  });

  test("is final at once, before its feedback is shown", () => {
    const screen = new Stepped(aTrial()).step(5).respond(0, 60);
    expect(screen.answers).toHaveLength(1);
    expect(screen.frameOf("enter feedback")).toBeUndefined();
  });

  test("during the lockout does not count", () => {
    const screen = new Stepped(aTrial({ pre_choice_lockout_delay_duration_msec: 300 })).step(60);
    screen.respond(0, 299).respond(2, 300);
    expect(screen.answers).toMatchObject([{ i_choice: 2, reaction_time_msec: expect.closeTo(300, 9) }]);
  });

  test("before the choices or after the first one does not count", () => {
    const screen = new Stepped(aTrial({ stimulus_duration_msec: 200 })).step(5);
    screen.timeline.respond(0, "key", screen.at(5));
    expect(screen.answers).toEqual([]);
    screen.step(20).respond(0, -1).respond(1, 500).respond(2, 510);
    expect(screen.answers.map((answer) => answer.i_choice)).toEqual([1]);
  });
});

describe("feedback", () => {
  test("says right or wrong and names the right choice", () => {
    expect(new Stepped(aTrial()).step(5).respond(1, 50).step().frameOf("showFeedback correct 1")).toBe(5);
    expect(new Stepped(aTrial()).step(5).respond(0, 50).step().frameOf("showFeedback incorrect 1")).toBe(5);
    const late = new Stepped(aTrial({ choice_duration_msec: 1_000 })).step(61);
    expect(late.frameOf("showFeedback too_late 1")).toBe(60);
  });

  test("lasts until the participant continues after the lockout", () => {
    const screen = new Stepped(aTrial()).step(5).respond(0, 50).step();
    screen.timeline.proceed();
    screen.step(89);
    screen.timeline.proceed();
    screen.step(1);
    expect(screen.frameOf("offerContinue")).toBe(5 + 90);
    screen.step(100);
    expect(screen.frameOf("hideFeedback")).toBeUndefined();
    screen.timeline.proceed();
    screen.step(1);
    expect(screen.frameOf("hideFeedback")).toBe(screen.frame);
    screen.step(12);
    expect(screen.end).toBe((screen.frameOf("hideFeedback") ?? 0) + 12);
  });

  test("of a fixed length ends by itself", () => {
    const screen = new Stepped(aTrial({ reward_duration_msec: 500 })).step(5).respond(1, 50).step(40);
    expect(screen.frameOf("hideFeedback")).toBe(5 + 30);
    expect(screen.frameOf("offerContinue")).toBeUndefined();
  });

  test("is not given when the trial has none", () => {
    const screen = new Stepped(aTrialWithoutAnswer()).step(5).respond(1, 50).step(40);
    expect(screen.frameOf("enter feedback")).toBeUndefined();
    expect(screen.end).toBe(5 + 12);
    expect(screen.answers).toMatchObject([{ i_choice: 1 }]);
  });
});

test("a stimulus of no duration before a blank is timed from the blank", () => {
  const screen = new Stepped(aTrial({ stimulus_duration_msec: 0, post_stimulus_delay_duration_msec: 100 }));
  screen.step(10).respond(1, 400);
  expect(screen.answers[0]?.frame_log).toMatchObject({ blank_achieved_frames: 6, timing_ok: true });
});

test("a trial without feedback gives none even if the right answer is known", () => {
  const screen = new Stepped(aTrial({ show_feedback: false, i_correct_choice: 1 }));
  screen.step(5).respond(1, 400).step(100);
  expect(screen.frameOf("enter feedback")).toBeUndefined();
  expect(screen.end).not.toBeNull();
});
