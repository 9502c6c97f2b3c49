// Full screen for the trials. Browsers grant it only after a click and not everywhere; without it the study continues.

import { paragraphs, showCard } from "../pages/card";
import { strings } from "../strings";
import type { Requirement } from "./requirement";

/** Whether the page fills the screen, by request or by F11. */
export function isFullScreen(): boolean {
  return isGranted() || window.matchMedia("(display-mode: fullscreen)").matches;
}

/** Undefined in browsers without full screen. */
const isGranted = () => Boolean(document.fullscreenElement);

export class FullScreen implements Requirement {
  #isUnavailable = false;

  /** Call from a click handler. */
  async enter(): Promise<void> {
    try {
      await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    } catch {
      // An embedded page without permission, or no support.
      this.#isUnavailable = true;
    }
  }

  async leave(): Promise<void> {
    if (isGranted()) {
      await document.exitFullscreen();
    }
  }

  isMet(): boolean {
    return this.#isUnavailable || isFullScreen();
  }

  async ask(view: HTMLElement): Promise<void> {
    await showCard(view, {
      testId: "full-screen",
      title: strings.fullScreenTitle,
      content: paragraphs(strings.fullScreen),
      button: { label: strings.enterFullScreen, testId: "enter-full-screen" },
    });
    await this.enter();
  }
}
