// Records the display at each answer: window size, full screen, lost focus, screen scale. Enforces nothing.

import type { Surroundings } from "../contract";
import { isFullScreen } from "./full-screen";
import type { ScreenScale } from "./screen-scale";

export class DisplayLog {
  readonly #scale: ScreenScale | null;
  #focusLosses = 0;
  #isAway = false;

  /** Starts recording; `scale` is null if the screen was not calibrated. */
  constructor(scale: ScreenScale | null) {
    this.#scale = scale;
    window.addEventListener("blur", () => this.#leave());
    window.addEventListener("focus", () => this.#return());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        this.#leave();
      } else if (document.hasFocus()) {
        this.#return();
      }
    });
  }

  /** The display at an answer; restarts the count of focus losses. */
  take(): Surroundings {
    const focusLosses = this.#focusLosses;
    this.#focusLosses = 0;
    return {
      window_width_px: window.innerWidth,
      window_height_px: window.innerHeight,
      full_screen: isFullScreen(),
      focus_losses: focusLosses,
      px_per_degree: this.#scale?.px_per_degree ?? null,
      viewing_distance_mm: this.#scale?.viewing_distance_mm ?? null,
    };
  }

  /** Leaving a tab may cost focus and visibility, in either order: one loss. */
  #leave(): void {
    if (!this.#isAway) {
      this.#isAway = true;
      this.#focusLosses += 1;
    }
  }

  #return(): void {
    this.#isAway = false;
  }
}
