// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { strings } from "../../src/strings";
import { whileLoading } from "../../src/trial/loading-note";

const display = document.createElement("main");
const note = () => display.querySelector('[data-testid="loading-picture"]')?.textContent ?? null;
const pictureAfter = (msec: number) => new Promise<string>((resolve) => setTimeout(resolve, msec, "picture"));

beforeEach(() => {
  vi.useFakeTimers();
  display.replaceChildren();
});

afterEach(() => {
  vi.useRealTimers();
});

test("a picture that is here, or nearly, is waited for in silence, then and later", async () => {
  const loading = whileLoading(display, pictureAfter(200));
  await vi.advanceTimersByTimeAsync(200);
  expect(await loading).toBe("picture");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(note()).toBeNull();
});

test("after a moment the participant is told what is waited for; the note leaves with the picture", async () => {
  const loading = whileLoading(display, pictureAfter(30_000));
  await vi.advanceTimersByTimeAsync(500);
  expect(note()).toBe(strings.loadingPicture);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(note()).toBe(strings.stillLoadingPicture);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await loading).toBe("picture");
  expect(note()).toBeNull();
});

test("a picture that cannot be had fails as it would without the note", async () => {
  await expect(whileLoading(display, Promise.reject(new Error("gone")))).rejects.toThrow("gone");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(note()).toBeNull();
});
