// @vitest-environment happy-dom
import { afterEach, expect, test, vi } from "vitest";
import { DisplayLog } from "../../src/screen/display-log";

afterEach(() => {
  vi.restoreAllMocks();
});

const tell = (name: "blur" | "focus") => window.dispatchEvent(new Event(name));

function tellVisibility(state: DocumentVisibilityState, hasFocus: boolean): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  vi.spyOn(document, "hasFocus").mockReturnValue(hasFocus);
  document.dispatchEvent(new Event("visibilitychange"));
}

test("lost focus is counted from one answer to the next", () => {
  const watch = new DisplayLog(null);
  expect(watch.take().focus_losses).toBe(0);
  for (let i = 0; i < 2; i += 1) {
    tell("blur");
    tell("focus");
  }
  expect(watch.take().focus_losses).toBe(2);
  expect(watch.take().focus_losses).toBe(0);
});

test("a tab that is left counts once, in whatever order it loses focus and visibility", () => {
  const watch = new DisplayLog(null);
  tell("blur");
  tellVisibility("hidden", false);
  tellVisibility("visible", false);
  tell("focus");
  expect(watch.take().focus_losses).toBe(1);
  tellVisibility("hidden", false);
  tell("blur");
  tellVisibility("visible", true);
  tell("blur");
  expect(watch.take().focus_losses).toBe(2);
});

test("a window that has not come back is not lost again with the next answer", () => {
  const watch = new DisplayLog(null);
  tell("blur");
  watch.take();
  tell("blur");
  expect(watch.take().focus_losses).toBe(0);
});

test("the window is as it is at the answer, the scale as it was measured", () => {
  const watch = new DisplayLog({ px_per_degree: 38.5, viewing_distance_mm: 570 });
  vi.spyOn(window, "innerWidth", "get").mockReturnValue(900);
  vi.spyOn(window, "innerHeight", "get").mockReturnValue(700);
  expect(watch.take()).toMatchObject({
    window_width_px: 900,
    window_height_px: 700,
    full_screen: false,
    px_per_degree: 38.5,
    viewing_distance_mm: 570,
  });
  expect(new DisplayLog(null).take()).toMatchObject({ px_per_degree: null, viewing_distance_mm: null });
});
