// Time on a screen: frames, not milliseconds. How long a frame is, how many make a duration, and which were missed.
// The browser's frames come in as an argument, so that tests can step them at any refresh rate.

export interface FrameSource {
  /** Call back once, before the next frame is shown, with its time in ms. */
  request(callback: (now: number) => void): void;
}

export const browserFrames: FrameSource = {
  request: (callback) => {
    requestAnimationFrame(callback);
  },
};

const FRAMES_MEASURED = 30;

/** Measure the length of a frame, in ms. Takes half a second at 60 Hz; the page should be at rest. */
export function measureFrameInterval(frames: FrameSource): Promise<number> {
  return new Promise((resolve) => {
    const times: number[] = [];
    const note = (now: number) => {
      times.push(now);
      if (times.length <= FRAMES_MEASURED) {
        frames.request(note);
      } else {
        resolve(frameInterval(times));
      }
    };
    frames.request(note);
  });
}

/**
 * Length of a frame from the times of successive ones, in ms.
 *
 * The mean of the gaps near their median: the median alone is off by up to half a millisecond in browsers that round
 * times to whole milliseconds, the mean alone is off wherever a frame was missed.
 */
export function frameInterval(times: readonly number[]): number {
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const median = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
  if (median === undefined || median <= 0) {
    throw new RangeError(`frame times ${times.join(", ")} have no interval; expected at least two that increase`);
  }
  const usual = gaps.filter((gap) => Math.abs(gap - median) < median / 4);
  return usual.reduce((sum, gap) => sum + gap, 0) / usual.length;
}

/** Whole frames nearest to a duration; at least one for any duration above 0. */
export function framesFor(msec: number, interval: number): number {
  return msec <= 0 ? 0 : Math.max(1, Math.round(msec / interval));
}

/** Counts the screen's frames, including those that the page missed. */
export class FrameCounter {
  readonly #interval: number;
  #last: number | null = null;

  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Frames since the last call: 0 on the first, 1 normally, more where frames were missed. */
  advance(now: number): number {
    const gap = this.#last === null ? 0 : now - this.#last;
    const elapsed = this.#last === null ? 0 : Math.max(1, Math.round(gap / this.#interval));
    this.#last = now;
    return elapsed;
  }
}
