// A trial and an answer as the server and the page would make them; each test changes what it is about.

import { vi } from "vitest";
import type { Response, Surroundings, Trial } from "../src/contract";

export function aTrial(changes: Partial<Trial> = {}): Trial {
  return {
    index: 0,
    block: 0,
    stimulus_url: "stimuli/a.png",
    shape: null,
    choice_names: ["red", "green", "blue", "grey"],
    i_correct_choice: 1,
    show_feedback: true,
    show_fixation: false,
    show_test_instructions: false,
    stimulus_duration_msec: 0,
    keep_stimulus_on: false,
    post_stimulus_delay_duration_msec: 0,
    pre_choice_lockout_delay_duration_msec: 0,
    choice_duration_msec: 10_000,
    intertrial_delay_duration_msec: 200,
    reward_duration_msec: null,
    incorrect_duration_msec: null,
    correct_feedback_lockout_duration_msec: 500,
    incorrect_feedback_lockout_duration_msec: 1_500,
    keypress_fj_response: false,
    stimulus_width_degrees: 12,
    choice_width_degrees_default: 4,
    query_string: "",
    ...changes,
  };
}

export function aTrialWithoutAnswer(changes: Partial<Trial> = {}): Trial {
  const { i_correct_choice: _, ...trial } = aTrial({ show_feedback: false, ...changes });
  return trial;
}

export const theSurroundings: Surroundings = {
  window_width_px: 1440,
  window_height_px: 820,
  full_screen: false,
  focus_losses: 0,
  px_per_degree: null,
  viewing_distance_mm: null,
};

export function aResponse(index: number): Response {
  return {
    index,
    i_choice: index % 4,
    reaction_time_msec: 512.5,
    response_device: "mouse",
    timestamp_start: "2026-01-31T12:00:00.000Z",
    rel_timestamp_response: 9_000,
    stimulus_width_px: 200,
    choice_width_px: 80,
    monitor_width_px: 1440,
    monitor_height_px: 900,
    frame_log: {
      refresh_rate_hz: 60,
      stimulus_requested_frames: null,
      stimulus_achieved_frames: null,
      stimulus_requested_msec: null,
      stimulus_achieved_msec: null,
      blank_requested_frames: 0,
      blank_achieved_frames: 0,
      dropped_frames: 0,
      timing_ok: true,
    },
    surroundings: theSurroundings,
  };
}

/** happy-dom has no canvas: one on which nothing is drawn and every letter is half as wide as high. */
export function stubCanvas(): void {
  const nothing = () => {};
  const context = {
    scale: nothing,
    save: nothing,
    restore: nothing,
    translate: nothing,
    drawImage: nothing,
    clearRect: nothing,
    measureText: (text: string) => ({ width: 50 * text.length }),
  };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(context as unknown as RenderingContext);
}
