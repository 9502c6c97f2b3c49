// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { WindowSize } from "../../src/screen/window-size";
import { strings } from "../../src/strings";

const view = document.createElement("main");

beforeEach(() => {
  document.body.replaceChildren(view);
  view.replaceChildren();
});

function resize(width: number, height: number): void {
  Object.assign(window, { innerWidth: width, innerHeight: height });
  window.dispatchEvent(new Event("resize"));
}

const said = () => view.textContent ?? "";

test.each([
  [600, 600, true],
  [599, 900, false],
  [900, 599, false],
])("a window of %i x %i px is large enough for 600 px: %s", (width, height, expected) => {
  resize(width, height);
  expect(new WindowSize(600).isMet()).toBe(expected);
  expect(new WindowSize(0).isMet()).toBe(true);
});

test("the card shows the current size and lets the participant continue once it is large enough", async () => {
  resize(500, 700);
  const asked = new WindowSize(600).ask(view);
  const button = view.querySelector("button") ?? expect.fail("no button");
  expect(said()).toContain(strings.windowSize(500, 700));
  expect(said()).toContain(strings.windowStillTooSmall);
  expect(button.disabled).toBe(true);
  resize(640, 700);
  expect(said()).toContain(strings.windowSize(640, 700));
  expect(said()).toContain(strings.windowLargeEnough);
  expect(button.disabled).toBe(false);
  resize(640, 400);
  expect(button.disabled).toBe(true);
  resize(640, 700);
  button.click();
  await asked;
  resize(1000, 1000);
  expect(said()).toContain(strings.windowSize(640, 700));
});
