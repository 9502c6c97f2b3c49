import { describe, expect, test } from "vitest";
import { FrameCounter, frameInterval, framesFor, measureFrameInterval } from "../src/frames";

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

  test.each(RATES)("is right at %i Hz in a browser that rounds times to whole milliseconds", (hz) => {
    const times = Array.from({ length: 31 }, (_, i) => Math.round((i * 1000) / hz));
    expect(Math.abs(frameInterval(times) - 1000 / hz)).toBeLessThan(0.05 * (1000 / hz));
  });

  test("is not stretched by frames that were missed", () => {
    const times = [0, 10, 20, 50, 60, 70, 130, 140, 150, 160];
    expect(frameInterval(times)).toBe(10);
  });

  test("cannot be had from times that stand still", () => {
    expect(() => frameInterval([5, 5, 5])).toThrow(/no interval/);
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
