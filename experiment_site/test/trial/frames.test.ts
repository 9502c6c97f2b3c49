import { describe, expect, test } from "vitest";
import { FrameCounter, frameInterval, framesFor, measureFrameInterval, RefreshRate } from "../../src/trial/frames";

const RATES = [60, 90, 120, 144];

describe("the length of a frame", () => {
  test.each(RATES)("is measured at %i Hz", async (hz) => {
    let now = 1_000;
    const source = {
      request: (callback: (now: number) => void) => {
        now += 1000 / hz;
        queueMicrotask(() => callback(now));
      },
    };
    expect(1000 / (await measureFrameInterval(source))).toBeCloseTo(hz, 6);
  });

  test.each([
    [30, 30], // a second
    [60, 30],
    [144, 72],
  ])("is measured at %i Hz over %i frames: thirty, and half a second", async (hz, frames) => {
    let asked = 0;
    const source = {
      request: (callback: (now: number) => void) => {
        asked += 1;
        queueMicrotask(() => callback(Math.round((asked * 1e6) / hz) / 1000));
      },
    };
    await measureFrameInterval(source);
    expect(asked).toBe(frames + 1);
  });

  test.each(RATES)("is right at %i Hz in a browser that rounds times to whole milliseconds", (hz) => {
    const times = Array.from({ length: 31 }, (_, i) => Math.round((i * 1000) / hz));
    expect(Math.abs(frameInterval(times) - 1000 / hz)).toBeLessThan(0.05 * (1000 / hz));
  });

  test("is not stretched by frames that were missed", () => {
    const times = [0, 10, 20, 50, 60, 70, 130, 140, 150, 160];
    expect(frameInterval(times)).toBe(10);
  });

  test.each(RATES)("is about right at %i Hz in a browser that rounds times to 100 ms", (hz) => {
    const times = Array.from({ length: hz }, (_, i) => 100 * Math.floor((i * 10) / hz));
    expect(1000 / frameInterval(times)).toBeGreaterThan(0.85 * hz);
    expect(1000 / frameInterval(times)).toBeLessThan(1.15 * hz);
  });

  test("cannot be measured from constant times or a single one", () => {
    expect(() => frameInterval([5, 5, 5])).toThrow(/no interval/);
    expect(() => frameInterval([5])).toThrow(/no interval/);
  });
});

describe("the frames of a duration", () => {
  test.each([
    [60, 17, 1],
    [60, 33, 2],
    [60, 100, 6],
    [60, 200, 12],
    [60, 1_500, 90],
    [90, 17, 2],
    [90, 33, 3],
    [90, 200, 18],
    [90, 1_500, 135],
    [120, 17, 2],
    [120, 33, 4],
    [120, 200, 24],
    [120, 1_500, 180],
    [144, 17, 2],
    [144, 33, 5],
    [144, 200, 29],
    [144, 1_500, 216],
  ])("at %i Hz %i ms are %i", (hz, msec, frames) => {
    expect(framesFor(msec, 1000 / hz)).toBe(frames);
  });

  test("are none for no time and at least one for any", () => {
    expect(framesFor(0, 1000 / 60)).toBe(0);
    expect(framesFor(1, 1000 / 60)).toBe(1);
  });
});

describe("the frame counter", () => {
  test("counts one per frame although times are rounded", () => {
    const counter = new FrameCounter(1000 / 144);
    const advances = Array.from({ length: 400 }, (_, i) => counter.advance(Math.round((i * 1000) / 144)));
    expect(advances).toEqual([0, ...Array(399).fill(1)]);
  });

  test("counts the frames that the page missed", () => {
    const counter = new FrameCounter(10);
    expect([0, 10, 40, 50].map((now) => counter.advance(now))).toEqual([0, 1, 3, 1]);
  });
});

describe("the refresh rate during a session", () => {
  /** What is measured at first is `hz`; `pass` lets frames of another length pass. */
  function aScreen(hz: number) {
    const rate = new RefreshRate(1000 / hz);
    let now = 3_000;
    const pass = (frames: number, msec: number | ((i: number) => number)) => {
      for (let i = 0; i < frames; i += 1) {
        now += typeof msec === "number" ? msec : msec(i);
        rate.addFrame(now);
      }
    };
    return { rate, pass, hz: () => 1000 / rate.interval };
  }

  const CHANGES = RATES.flatMap((from) => RATES.filter((to) => to !== from).map((to) => [from, to] as const));

  test.each(CHANGES)("is followed from %i to %i Hz", (from, to) => {
    const screen = aScreen(from);
    screen.pass(2 * from, 1000 / from);
    expect(screen.hz()).toBeCloseTo(from, 9);
    screen.pass(to, 1000 / to);
    expect(screen.hz()).toBeCloseTo(to, 6);
  });

  test("does not change before enough frames are seen", () => {
    const screen = aScreen(60);
    screen.pass(29, 1000 / 144);
    expect(screen.hz()).toBeCloseTo(60, 9);
  });

  test.each([59.94, 75, 119.88, 143.92])("stays as it was measured at %d Hz where the browser rounds times", (hz) => {
    const screen = aScreen(hz);
    const first = screen.rate.interval;
    for (let i = 0; i < 300; i += 1) {
      screen.pass(1, Math.round(((i + 1) * 1000) / hz) - Math.round((i * 1000) / hz));
      expect(screen.rate.interval).toBe(first);
    }
  });

  test.each([
    ["every fourth frame is", 4],
    ["every other frame is", 2],
  ])("stays as it is while %s missed", (_, every) => {
    const screen = aScreen(60);
    screen.pass(300, (i) => (i % every === 0 ? 2000 / 60 : 1000 / 60));
    expect(screen.hz()).toBeCloseTo(60, 9);
  });

  test("stays as it is over pauses between trials", () => {
    const screen = aScreen(60);
    screen.pass(300, (i) => (i % 40 === 0 ? 7_000 : 1000 / 60));
    expect(screen.hz()).toBeCloseTo(60, 9);
  });

  test("is not measured in the middle of a change", () => {
    const screen = aScreen(60);
    screen.pass(60, 1000 / 60);
    screen.pass(20, 1000 / 120);
    expect(screen.hz()).toBeCloseTo(60, 9);
  });
});

test("a gap a third longer than the others does not stretch the frame", () => {
  expect(frameInterval([0, 12, 24, 40, 52, 64])).toBeCloseTo(12);
});

test("a frame counts as missed from half a frame's delay on", () => {
  const counter = new FrameCounter(10);
  expect([0, 14, 30, 46].map((now) => counter.advance(now))).toEqual([0, 1, 2, 2]);
});

test.each([
  [60, 61, 60],
  [60, 62, 62],
  [60, 58, 58],
])("a window at %i Hz that is moved to a screen of %i Hz is at %i Hz", (before, after, expected) => {
  const rate = new RefreshRate(1000 / before);
  for (let frame = 0; frame < 200; frame += 1) {
    rate.addFrame((frame * 1000) / after);
  }
  expect(1000 / rate.interval).toBeCloseTo(expected, 6);
});
