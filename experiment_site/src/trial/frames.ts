// Time in frames: how long a frame is, how many make a duration, and which were missed. The source of frames is an
// argument, so that tests can step at any refresh rate.

export interface FrameSource {
  /** Call back once, before the next frame is shown, with its time in ms. */
  request(callback: (now: number) => void): void;
}

export const browserFrames: FrameSource = {
  request: (callback) => {
    requestAnimationFrame(callback);
  },
};

/** With fewer frames, a missed one weighs too much; with less time, rounded timestamps do. */
const FRAMES_MEASURED = 30;
const MSEC_MEASURED = 500;

/** Relative change that counts as another refresh rate: above measurement error, below the distance of any two rates. */
const RATE_CHANGE = 0.02;
/** Share of the gaps that must agree; they do not while a window spans two screens or the page is busy. */
const STEADY = 0.9;

/** Measure the length of a frame, in ms. Takes about half a second; the page should be idle. */
export function measureFrameInterval(frames: FrameSource): Promise<number> {
  return new Promise((resolve) => {
    const times: number[] = [];
    const onFrame = (now: number) => {
      times.push(now);
      if (isEnough(times)) {
        resolve(frameInterval(times));
      } else {
        frames.request(onFrame);
      }
    };
    frames.request(onFrame);
  });
}

/**
 * Length of a frame from the times of successive ones, in ms.
 *
 * The mean of the gaps near their median: the median alone is off by up to half a millisecond in browsers that round
 * times to whole milliseconds, the mean alone is off wherever a frame was missed.
 */
export function frameInterval(times: readonly number[]): number {
  const interval = mean(regularGaps(times));
  if (!(interval > 0)) {
    throw new RangeError(`frame times ${times.join(", ")} have no interval; expected at least two that increase`);
  }
  return interval;
}

/** Tracks the refresh rate across trials: a window may move to another screen. */
export class RefreshRate {
  #interval: number;
  /** Recent frames only: earlier ones may have been on another screen. */
  readonly #times: number[] = [];

  /** `interval`: length of a frame at the start, in ms. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Call once per frame with the frame's time. */
  addFrame(now: number): void {
    this.#times.push(now);
    while (isEnough(this.#times.slice(1))) {
      this.#times.shift();
    }
  }

  /** Length of a frame, in ms. Constant, and with it the frames of a duration, unless the refresh rate clearly changes. */
  get interval(): number {
    if (isEnough(this.#times)) {
      const regular = regularGaps(this.#times);
      const isSteady = regular.length >= STEADY * (this.#times.length - 1);
      const recent = mean(regular);
      if (isSteady && Math.abs(recent / this.#interval - 1) > RATE_CHANGE) {
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
function regularGaps(times: readonly number[]): number[] {
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const median = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  // 0 in browsers that round so much, for privacy, that most frames have the same time as the previous one.
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
