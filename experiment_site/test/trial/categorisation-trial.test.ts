// @vitest-environment happy-dom
import { initJsPsych } from "jspsych";
import { expect, test, vi } from "vitest";
import type { Response, Trial } from "../../src/contract";
import { CategorisationTrial } from "../../src/trial/categorisation-trial";
import { browserFrames } from "../../src/trial/frames";
import { aTrial, stubCanvas, theSurroundings } from "../fixtures";

async function simulate(
  trials: readonly Trial[],
  mode: "data-only" | "visual" = "data-only",
): Promise<{ answers: Response[]; rows: Record<string, unknown>[] }> {
  const answers: Response[] = [];
  let taken = 0;
  const jsPsych = initJsPsych({ display_element: document.body.appendChild(document.createElement("div")) });
  await jsPsych.simulate(
    trials.map((trial) => ({
      ...trial,
      type: CategorisationTrial,
      frame_interval_msec: 1000 / 60,
      on_frame: () => {},
      surroundings: () => {
        taken += 1;
        return { ...theSurroundings, focus_losses: taken };
      },
      load_stimulus: () => Promise.reject(new Error("nothing is shown")),
      load_icons: async () => new Map(),
      on_answer: (response: Response) => answers.push(response),
    })),
    mode,
  );
  return { answers, rows: jsPsych.data.get().values() };
}

test("a simulated participant answers every trial in time with one of its choices", async () => {
  const trials = Array.from({ length: 40 }, (_, index) =>
    aTrial({
      index,
      stimulus_duration_msec: 200,
      post_stimulus_delay_duration_msec: 100,
      pre_choice_lockout_delay_duration_msec: 400,
    }),
  );
  const { answers, rows } = await simulate(trials);
  expect(answers.map((answer) => answer.index)).toEqual(trials.map((trial) => trial.index));
  expect(new Set(answers.map((answer) => answer.i_choice))).toEqual(new Set([0, 1, 2, 3]));
  for (const answer of answers) {
    expect(answer.reaction_time_msec).toBeGreaterThan(400);
    expect(answer.reaction_time_msec).toBeLessThan(10_000);
    expect(answer.frame_log).toEqual({
      refresh_rate_hz: expect.closeTo(60, 9),
      stimulus_requested_frames: 12,
      stimulus_achieved_frames: 12,
      stimulus_requested_msec: expect.closeTo(200, 9),
      stimulus_achieved_msec: expect.closeTo(200, 9),
      blank_requested_frames: 6,
      blank_achieved_frames: 6,
      dropped_frames: 0,
      timing_ok: true,
    });
  }
  expect(rows).toMatchObject(answers);
});

test("the surroundings are asked for once per answer", async () => {
  const { answers } = await simulate([0, 1, 2].map((index) => aTrial({ index })));
  expect(answers.map((answer) => answer.surroundings.focus_losses)).toEqual([1, 2, 3]);
});

test("a simulated participant can miss the deadline", async () => {
  const { answers } = await simulate([aTrial({ choice_duration_msec: 1 })]);
  expect(answers).toMatchObject([{ i_choice: null, reaction_time_msec: null, response_device: null }]);
});

test("a simulated participant clicks through the trial as it is shown, the fixation cross first", async () => {
  stubCanvas();
  // happy-dom's frames follow each other without a pause.
  vi.spyOn(browserFrames, "request").mockImplementation((callback) => {
    setTimeout(() => callback(performance.now()), 1000 / 60);
  });
  const clicks: string[] = [];
  document.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLElement) {
      clicks.push(`${target.dataset.testid} in ${target.closest<HTMLElement>(".trial")?.dataset.phase}`);
    }
  });
  const quick = { show_fixation: true, stimulus_url: null, correct_feedback_lockout_duration_msec: 0 };
  const { answers, rows } = await simulate(
    [aTrial({ ...quick, incorrect_feedback_lockout_duration_msec: 0 })],
    "visual",
  );
  expect(clicks).toEqual(["fixation in fixation", `choice-${answers[0]?.i_choice} in choice`, "next in feedback"]);
  expect(answers).toMatchObject([{ index: 0, response_device: "mouse", surroundings: { focus_losses: 1 } }]);
  expect(answers[0]?.frame_log.stimulus_requested_frames).toBeNull();
  expect(rows).toMatchObject(answers);
  vi.restoreAllMocks();
});

test("a key answers in either case, but not while it is held or with a modifier", async () => {
  stubCanvas();
  vi.spyOn(browserFrames, "request").mockImplementation((callback) => {
    setTimeout(() => callback(performance.now()), 1000 / 60);
  });
  const display = document.body.appendChild(document.createElement("div"));
  const jsPsych = initJsPsych({ display_element: display });
  const answers: Response[] = [];
  const trial = aTrial({
    choice_names: ["red", "green"],
    keypress_fj_response: true,
    stimulus_url: null,
    show_feedback: false,
    intertrial_delay_duration_msec: 0,
  });
  const running = jsPsych.run([
    {
      ...trial,
      type: CategorisationTrial,
      frame_interval_msec: 1000 / 60,
      on_frame: () => {},
      surroundings: () => theSurroundings,
      load_stimulus: () => Promise.reject(new Error("nothing is shown")),
      load_icons: async () => new Map(),
      on_answer: (response: Response) => answers.push(response),
    },
  ]);
  await vi.waitFor(() => expect(display.querySelector('[data-phase="choice"]')).not.toBeNull());
  await new Promise((resolve) => setTimeout(resolve, 100));
  const press = (key: string, how: KeyboardEventInit = {}) =>
    document.dispatchEvent(new KeyboardEvent("keydown", { key, ...how }));
  press("f", { repeat: true });
  press("f", { ctrlKey: true });
  press("f", { metaKey: true });
  press("f", { altKey: true });
  expect(answers).toEqual([]);
  press("J");
  await running;
  expect(answers).toMatchObject([{ i_choice: 1, response_device: "key" }]);
  vi.restoreAllMocks();
});
