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

/** Enough to measure by: frames, or one missed weighs too much; time, or browsers that round it err too much. */
const FRAMES_MEASURED = 30;
const MSEC_MEASURED = 500;

/** Another refresh rate: further off than a measurement errs, nearer than any two rates of screens are. */
const CLEARLY_OTHER = 0.02;
/** Share of the gaps between frames that must agree; they do not while a window is between two screens, or a page is busy. */
const STEADY = 0.9;

/** Measure the length of a frame, in ms. Takes about half a second; the page should be at rest. */
export function measureFrameInterval(frames: FrameSource): Promise<number> {
  return new Promise((resolve) => {
    const times: number[] = [];
    const note = (now: number) => {
      times.push(now);
      if (isEnough(times)) {
        resolve(frameInterval(times));
      } else {
        frames.request(note);
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
  const interval = mean(usualGaps(times));
  if (!(interval > 0)) {
    throw new RangeError(`frame times ${times.join(", ")} have no interval; expected at least two that increase`);
  }
  return interval;
}

/** Follows the screen's refresh rate from trial to trial: a window may be moved to another screen. */
export class RefreshRate {
  #interval: number;
  /** No more than is enough: what was long ago may have been another screen. */
  readonly #times: number[] = [];

  /** `interval`: length of a frame as measured at first, in ms. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Call once per frame with the frame's time. */
  note(now: number): void {
    this.#times.push(now);
    while (isEnough(this.#times.slice(1))) {
      this.#times.shift();
    }
  }

  /** Length of a frame, in ms. Stays the same, and with it the frames of a duration, unless the rate is clearly another one. */
  get interval(): number {
    if (isEnough(this.#times)) {
      const usual = usualGaps(this.#times);
      const isSteady = usual.length >= STEADY * (this.#times.length - 1);
      const recent = mean(usual);
      if (isSteady && Math.abs(recent / this.#interval - 1) > CLEARLY_OTHER) {
        this.#interval = recent;
      }
    }
    return this.#interval;
  }
}

function isEnough(times: readonly number[]): boolean {
  const [first = 0] = times;
  const last = times[times.length - 1] ?? first;
  return times.length > FRAMES_MEASURED && last - first >= MSEC_MEASURED;
}

/** The gaps between successive times, without those that a missed frame lengthened. */
function usualGaps(times: readonly number[]): number[] {
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const median = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  // 0 in browsers that round so much, for privacy, that most frames have the time of the one before.
  return median === 0 ? gaps : gaps.filter((gap) => Math.abs(gap - median) < median / 4);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
