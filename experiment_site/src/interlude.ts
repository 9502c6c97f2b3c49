// A jsPsych plugin for what stands between trials: instructions, the screening.

import { type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../package.json";

const info = {
  name: "interlude",
  version,
  parameters: {
    /** `(display: HTMLElement) => Promise<void>`: resolves when it is over. */
    show: { type: ParameterType.FUNCTION, default: undefined },
  },
  data: {},
} as const;

export class Interlude implements JsPsychPlugin<typeof info> {
  static readonly info = info;

  async trial(display: HTMLElement, trial: TrialType<typeof info>, onLoad?: () => void): Promise<void> {
    const over: Promise<void> = trial.show(display);
    onLoad?.();
    await over;
  }
}
