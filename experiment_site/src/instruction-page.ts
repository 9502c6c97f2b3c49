// A jsPsych plugin that shows an instruction page between trials.

import { type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../package.json";

const info = {
  name: "instruction-page",
  version,
  parameters: {
    /** `(display: HTMLElement) => Promise<void>`: shows the page and resolves when the participant leaves it. */
    show_page: { type: ParameterType.FUNCTION, default: undefined },
  },
  data: {},
} as const;

export class InstructionPage implements JsPsychPlugin<typeof info> {
  static readonly info = info;

  async trial(display: HTMLElement, trial: TrialType<typeof info>, onLoad?: () => void): Promise<void> {
    const left: Promise<void> = trial.show_page(display);
    onLoad?.();
    await left;
  }
}
