// What comes between a session's start and its trials: instructions or welcome back, full screen, the screen's scale.

import type { StudyPage, Trial } from "../contract";
import * as pages from "../pages/pages";
import type { SessionMemory } from "../session/session-memory";
import { strings } from "../strings";
import { answerKeys } from "../trial/answer-keys";
import { isHandheld, thisDevice } from "./device-check";
import type { FullScreen } from "./full-screen";
import { calibrateScreen } from "./screen-calibration";
import type { ScreenScale } from "./screen-scale";

/** Before the first of `nTrials` trials the instructions, later on a welcome back; resolves on the click to begin. */
export async function introduce(view: HTMLElement, task: string | null, first: Trial, nTrials: number): Promise<void> {
  if (first.index > 0) {
    await pages.showWelcomeBack(view, first.index + 1, nTrials);
    return;
  }
  const hints = [...(first.show_fixation ? [strings.howToBegin] : []), strings.howToAnswer(answerKeys(first))];
  await pages.showTask(view, task, hints.join(" "));
}

/** Call upon a click. Full screen comes first: it is how the trials are seen, and leaves the blind spot more room. */
export async function setUpScreen(
  view: HTMLElement,
  { page }: StudyPage,
  fullScreen: FullScreen,
  memory: SessionMemory,
): Promise<ScreenScale | null> {
  if (page.full_screen) {
    await fullScreen.enter();
  }
  if (!page.calibrate_screen || isHandheld(thisDevice())) {
    return null; // the calibration needs a space bar
  }
  const scale = memory.scale ?? (await calibrateScreen(view));
  if (scale !== null) {
    memory.noteScale(scale);
  }
  return scale;
}
