// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { showFailure } from "../../src/pages/failures";
import { RequestFailed } from "../../src/session/api";
import { strings } from "../../src/strings";
import { StimulusMissing } from "../../src/trial/stimuli";

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  document.body.innerHTML = "<main id='view'></main>";
});

afterEach(() => {
  vi.restoreAllMocks();
});

const view = () => document.querySelector<HTMLElement>("#view") ?? expect.fail("there is no view");

test.each([
  ["an image is missing", new StimulusMissing("stimuli/a1.png", "gone"), "stimuli/a1.png"],
  ["the session was opened elsewhere", new RequestFailed(401, "not known"), strings.openedElsewhereTitle],
  ["answers are missing", new RequestFailed(409, "too early", [3, 4]), strings.missing(2)],
  ["the server refuses", new RequestFailed(403, "this person took part before"), "This person took part before."],
  ["something is wrong with the page", new TypeError("x is not a function"), strings.unexpected],
])("the participant sees when %s", (_, error, expected) => {
  showFailure(view(), error);
  expect(view().querySelector('[data-testid="error"]')?.textContent).toContain(expected);
});

test("whatever still runs does not cover the message", () => {
  const before = view();
  showFailure(before, new RequestFailed(401, "opened in another window"));
  before.replaceChildren("the next trial");
  expect(document.body.textContent).not.toContain("the next trial");
  expect(document.body.textContent).toContain(strings.openedElsewhereTitle);
});
