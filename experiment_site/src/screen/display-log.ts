// What goes on around the trials: size of the window, full screen, lost focus, scale of the screen. Forbids nothing.

import type { Surroundings } from "../contract";
import { isFullScreen } from "./full-screen";
import type { ScreenScale } from "./screen-scale";

export class DisplayLog {
  readonly #scale: ScreenScale | null;
  #focusLosses = 0;
  #isAway = false;

  /** Watches from now on; `scale` is null where the screen was not calibrated. */
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

  /** The surroundings of an answer; the next one counts lost focus anew. */
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

  /** A tab that is left may lose its focus and its visibility, in either order: one loss. */
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
