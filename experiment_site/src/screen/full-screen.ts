// Full screen for the trials. Browsers grant it only upon a click and not everywhere; who cannot have it goes on without.

import { paragraphs, showCard } from "../pages/card";
import { strings } from "../strings";
import type { Requirement } from "./requirement";

/** Whether the page fills the screen, by its own wish or by the browser's F11. */
export function isFullScreen(): boolean {
  return isGranted() || window.matchMedia("(display-mode: fullscreen)").matches;
}

/** Browsers without full screen do not know of the element either. */
const isGranted = () => Boolean(document.fullscreenElement);

export class FullScreen implements Requirement {
  #isRefused = false;

  /** Call upon a click. */
  async enter(): Promise<void> {
    try {
      await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    } catch {
      // An embedded page without leave, or a browser that cannot.
      this.#isRefused = true;
    }
  }

  async leave(): Promise<void> {
    if (isGranted()) {
      await document.exitFullscreen();
    }
  }

  isMet(): boolean {
    return this.#isRefused || isFullScreen();
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
