// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FullScreen, isFullScreen } from "../../src/screen/full-screen";

const view = document.createElement("main");

/** happy-dom has no full screen: one that the test grants or refuses. */
function browserThat({ grants }: { grants: boolean }) {
  let element: Element | null = null;
  vi.spyOn(document, "fullscreenElement", "get").mockImplementation(() => element);
  document.documentElement.requestFullscreen = async () => {
    if (!grants) {
      throw new TypeError("not allowed in this frame");
    }
    element = document.documentElement;
  };
  document.exitFullscreen = async () => {
    element = null;
  };
}

beforeEach(() => {
  document.body.replaceChildren(view);
  view.replaceChildren();
  Object.defineProperty(document, "fullscreenElement", { configurable: true, get: () => null });
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("where the browser grants it", () => {
  beforeEach(() => browserThat({ grants: true }));

  test("full screen is entered, and left at the end", async () => {
    const fullScreen = new FullScreen();
    expect(fullScreen.isMet()).toBe(false);
    await fullScreen.enter();
    expect([isFullScreen(), fullScreen.isMet()]).toEqual([true, true]);
    await fullScreen.leave();
    expect([isFullScreen(), fullScreen.isMet()]).toEqual([false, false]);
  });

  test("who has left it is asked back, as often as it takes", async () => {
    const fullScreen = new FullScreen();
    await fullScreen.enter();
    for (let i = 0; i < 2; i += 1) {
      await document.exitFullscreen();
      expect(fullScreen.isMet()).toBe(false);
      const asked = fullScreen.ask(view);
      view.querySelector<HTMLElement>('[data-testid="enter-full-screen"]')?.click();
      await asked;
      expect(fullScreen.isMet()).toBe(true);
    }
  });
});

test("without full screen in the browser the study continues and asks nothing", async () => {
  browserThat({ grants: false });
  const fullScreen = new FullScreen();
  await fullScreen.enter();
  expect([isFullScreen(), fullScreen.isMet()]).toEqual([false, true]);
  await fullScreen.leave();
});

test("the browser's own full screen counts", () => {
  vi.spyOn(window, "matchMedia").mockImplementation(
    (query) => ({ matches: query === "(display-mode: fullscreen)" }) as MediaQueryList,
  );
  expect(isFullScreen()).toBe(true);
  expect(new FullScreen().isMet()).toBe(true);
});
