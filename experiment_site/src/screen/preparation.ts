// The steps between the start of a session and its trials: instructions or welcome back, full screen, calibration.

import type { StudyPage, Trial } from "../contract";
import * as pages from "../pages/pages";
import type { SessionMemory } from "../session/session-memory";
import { strings } from "../strings";
import { answerKeys } from "../trial/answer-keys";
import { isHandheld, thisDevice } from "./device-check";
import type { FullScreen } from "./full-screen";
import { calibrateScreen } from "./screen-calibration";
import type { ScreenScale } from "./screen-scale";

/** Instructions before the first of `nTrials` trials, later a welcome back; resolves on the click to start. */
export async function introduce(view: HTMLElement, task: string | null, first: Trial, nTrials: number): Promise<void> {
  if (first.index > 0) {
    await pages.showWelcomeBack(view, first.index + 1, nTrials);
    return;
  }
  const hints = [...(first.show_fixation ? [strings.howToStart] : []), strings.howToAnswer(answerKeys(first))];
  await pages.showTask(view, task, hints.join(" "));
}

/** Call from a click handler. Full screen comes first: the trials use it, and the blind spot needs the room. */
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
    memory.saveScale(scale);
  }
  return scale;
}
