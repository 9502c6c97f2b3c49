// A screen that a test steps frame by frame at any refresh rate, and may let miss some: animation frames and clock of the page are
// its own. It notes by itself what was on it in each of its frames, and answers each trial.

import { vi } from "vitest";

/** What was on the screen from `at` on, up to the next view. */
export interface View {
  /** Number of the screen's frame, missed ones counted, and its time in ms. */
  readonly frame: number;
  readonly at: number;
  readonly trial: number | null;
  readonly stimulus: boolean;
  readonly choices: boolean;
}

/** Where a trial stands as a frame is due: how many frames since its phase began are behind it. */
export interface Place {
  readonly trial: number | null;
  readonly phase: string | null;
  readonly frame: number;
}

export class SteppedScreen {
  readonly views: View[] = [];
  hz: number;
  #now = 20_000;
  #frame = 0;
  #hasStimulus = false;
  #callbacks: ((now: number) => void)[] = [];
  #place: Place = { trial: null, phase: null, frame: 0 };

  /** Until `vi.unstubAllGlobals` and `vi.restoreAllMocks`. */
  constructor(hz: number) {
    this.hz = hz;
    vi.stubGlobal("requestAnimationFrame", (callback: (now: number) => void) => this.#callbacks.push(callback));
    vi.spyOn(performance, "now").mockImplementation(() => this.#now);
    const canvas = {
      scale() {},
      save() {},
      restore() {},
      translate() {},
      measureText: (text: string) => ({ width: 50 * text.length }),
      drawImage: () => {
        this.#hasStimulus = true;
      },
      clearRect: () => {
        this.#hasStimulus = false;
      },
    };
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(canvas as unknown as RenderingContext);
  }

  /** Step until `running` is over. `missed` says how many frames are missed before the one that is due. */
  async stepUntil(running: Promise<void>, missed: (place: Place) => number = () => 0): Promise<void> {
    let isOver = false;
    const watched = running.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      if (this.#callbacks.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 0)); // the page is between two trials
      } else {
        this.#step(missed(this.#place));
        this.#answer();
      }
    }
    await watched;
  }

  /** The views of a trial in which something was on the screen, and the first one in which it no longer was. */
  shown(trial: number, what: "stimulus" | "choices"): { readonly first: View; readonly end: View } {
    const start = this.views.findIndex((view) => view.trial === trial && view[what]);
    const end = this.views.findIndex((view, i) => i > start && !view[what]);
    const [first, last] = [this.views[start], this.views[end]];
    if (first === undefined || last === undefined) {
      throw new Error(`the ${what} of trial ${trial} did not come and go`);
    }
    return { first, end: last };
  }

  #step(missed: number): void {
    this.#frame += 1 + missed;
    this.#now += (1 + missed) * (1000 / this.hz);
    // What the page drew in its last frame is seen from now on.
    const choices = document.querySelector(".trial .choices");
    this.views.push({
      frame: this.#frame,
      at: this.#now,
      trial: currentTrial(),
      stimulus: this.#hasStimulus,
      choices: choices !== null && !choices.classList.contains("hidden"),
    });
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) {
      callback(this.#now);
    }
    const [trial, phase] = [currentTrial(), document.querySelector<HTMLElement>(".trial")?.dataset.phase ?? null];
    const isSame = trial === this.#place.trial && phase === this.#place.phase;
    this.#place = { trial, phase, frame: isSame ? this.#place.frame + 1 + missed : 0 };
  }

  /** Once the choices have been seen for 18 frames, the second one is clicked, a quarter of a frame later. */
  #answer(): void {
    if (this.#place.phase === "choice" && this.#place.frame >= 19) {
      const click = new MouseEvent("click", { bubbles: true });
      Object.defineProperty(click, "timeStamp", { value: this.#now + 250 / this.hz });
      document.querySelector("[data-testid='choice-1']")?.dispatchEvent(click);
    }
  }
}

function currentTrial(): number | null {
  const index = document.querySelector<HTMLElement>(".trial")?.dataset.trialIndex;
  return index === undefined ? null : Number(index);
}
