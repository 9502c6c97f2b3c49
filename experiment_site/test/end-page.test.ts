// @vitest-environment happy-dom
import { beforeEach, describe, expect, test } from "vitest";
import type { Result } from "../src/contract";
import { showEnd } from "../src/pages";
import { strings } from "../src/strings";

const result: Result = {
  state: "completed",
  code: null,
  n_trials: 10,
  n_correct: 8,
  accuracy: 0.8,
  bonus_usd: 1.2,
};
const texts = { consent: null, task: null, test: null, done: null, screened_out: null };
const view = document.createElement("main");

beforeEach(() => {
  document.body.replaceChildren(view);
});

const find = (testId: string) => view.querySelector(`[data-testid="${testId}"]`);
const said = () => view.textContent ?? "";

describe("who has completed the study", () => {
  test("sees score, bonus and the study's own thanks", () => {
    showEnd(view, result, { ...texts, done: "<p>Bye</p>", screened_out: "<p>Sorry</p>" }, "test");
    expect(find("done")).not.toBeNull();
    expect(said()).toContain(strings.score(result));
    expect(said()).toContain(strings.bonus(result));
    expect(said()).toContain("Bye");
    expect(said()).not.toContain("Sorry");
  });

  test("and gets no code has nothing left to do", () => {
    showEnd(view, result, texts, "prolific");
    expect(said()).toContain(strings.close);
    expect(find("code")).toBeNull();
    expect(find("return-link")).toBeNull();
  });
});

describe("who was screened out", () => {
  const screenedOut: Result = { ...result, state: "screened_out" };

  test("sees the study's page for it, neither score nor bonus", () => {
    showEnd(view, screenedOut, { ...texts, done: "<p>Bye</p>", screened_out: "<p>Sorry</p>" }, "test");
    expect(find("screened-out")).not.toBeNull();
    expect(find("done")).toBeNull();
    expect(said()).toContain("Sorry");
    expect(said()).not.toContain("Bye");
    expect(view.querySelector(".fact")).toBeNull();
  });

  test("is thanked in the page's own words where the study has none", () => {
    showEnd(view, screenedOut, { ...texts, done: "<p>Bye</p>" }, "test");
    expect(said()).toContain(strings.screenedOut);
    expect(view.querySelector(".fact")).toBeNull();
  });
});

describe.each(["completed", "screened_out"] as const)("who gets a code (%s)", (state) => {
  test("sees it, and is not told to close the page first", () => {
    showEnd(view, { ...result, state, code: "C1 & <b>" }, texts, "inperson");
    expect(find("code")?.textContent).toBe("C1 & <b>");
    expect(said()).toContain(strings.enterCode);
    expect(said()).not.toContain(strings.close);
    expect(find("return-link")).toBeNull();
  });

  test("takes it back to Prolific with a link", () => {
    showEnd(view, { ...result, state, code: "C1 & <b>" }, texts, "prolific");
    expect(find("return-link")?.getAttribute("href")).toBe(
      "https://app.prolific.com/submissions/complete?cc=C1%20%26%20%3Cb%3E",
    );
  });
});
