// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { strings } from "../../src/strings";
import { whileLoading } from "../../src/trial/loading-note";

const display = document.createElement("main");
const note = () => display.querySelector('[data-testid="loading-image"]')?.textContent ?? null;
const imageAfter = (msec: number) => new Promise<string>((resolve) => setTimeout(resolve, msec, "image"));

beforeEach(() => {
  vi.useFakeTimers();
  display.replaceChildren();
});

afterEach(() => {
  vi.useRealTimers();
});

test("an image that loads quickly shows no note", async () => {
  const loading = whileLoading(display, imageAfter(200));
  await vi.advanceTimersByTimeAsync(200);
  expect(await loading).toBe("image");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(note()).toBeNull();
});

test("a note appears after a moment and disappears with the image", async () => {
  const loading = whileLoading(display, imageAfter(30_000));
  await vi.advanceTimersByTimeAsync(500);
  expect(note()).toBe(strings.loadingImage);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(note()).toBe(strings.stillLoadingImage);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await loading).toBe("image");
  expect(note()).toBeNull();
});

test("a failure to load passes through the note", async () => {
  await expect(whileLoading(display, Promise.reject(new Error("gone")))).rejects.toThrow("gone");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(note()).toBeNull();
});
