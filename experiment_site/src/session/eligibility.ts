// What comes before a place in the study is taken: the right device, a large window, no other tab, consent. Who stops
// here costs the study nothing.

import type { StudyPage } from "../contract";
import * as pages from "../pages/pages";
import { isHandheld, thisDevice } from "../screen/device-check";
import { WindowSize } from "../screen/window-size";
import { strings } from "../strings";
import type { SessionMemory } from "./session-memory";
import { isOnlyTab } from "./tab-lock";

/** Resolves when the participant has come in; false, with a page that says why, for whom it ends here. */
export async function isEligible(view: HTMLElement, study: StudyPage, memory: SessionMemory): Promise<boolean> {
  if (study.page.desktop_only && isHandheld(thisDevice())) {
    pages.showComputerNeeded(view);
    return false;
  }
  if (!(await isOnlyTab(memory.key))) {
    void pages.showError(view, strings.otherTabTitle, strings.otherTab, strings.tryAgain);
    return false;
  }
  const windowSize = new WindowSize(study.page.min_window_px);
  if (!windowSize.isMet()) {
    await windowSize.ask(view);
  }
  if (study.pages.consent !== null && !memory.hasConsented) {
    await pages.showConsent(view, study.pages.consent);
    memory.saveConsent();
  }
  return true;
}
