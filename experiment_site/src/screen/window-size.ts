// Checks that the window is large enough, and asks for a larger one.

import { make } from "../dom";
import { CardButton, paragraphs, showCard } from "../pages/card";
import { strings } from "../strings";
import type { Requirement } from "./requirement";

export class WindowSize implements Requirement {
  readonly #needed: number;

  /** `needed`: minimum width and height, in CSS px; 0: any. */
  constructor(needed: number) {
    this.#needed = needed;
  }

  isMet(): boolean {
    return Math.min(window.innerWidth, window.innerHeight) >= this.#needed;
  }

  /** Updates while the window is resized; the participant decides when to continue. */
  async ask(view: HTMLElement): Promise<void> {
    const size = make("p", { class: "fact", "data-testid": "window-size" });
    const verdict = make("p", { role: "status" });
    const go = new CardButton({ label: strings.continue, testId: "window-continue" }, "primary");
    void showCard(view, {
      testId: "window-too-small",
      title: strings.windowTooSmallTitle,
      content: [...paragraphs(strings.windowTooSmall(this.#needed)), size, verdict, go.element],
    });
    const update = () => {
      size.textContent = strings.windowSize(window.innerWidth, window.innerHeight);
      verdict.textContent = this.isMet() ? strings.windowLargeEnough : strings.windowStillTooSmall;
      go.element.disabled = !this.isMet();
    };
    update();
    window.addEventListener("resize", update);
    await go.pressed;
    window.removeEventListener("resize", update);
  }
}
