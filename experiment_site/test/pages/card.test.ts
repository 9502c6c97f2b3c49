// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { paragraphs, showCard } from "../../src/pages/card";

const view = document.createElement("main");

beforeEach(() => {
  document.body.replaceChildren(view);
});

test("a card has the focus, so that screen readers begin with it and keys scroll it", () => {
  void showCard(view, { title: "Hello", content: paragraphs("One", "Two") });
  expect(document.activeElement).toBe(view.querySelector(".card"));
  expect(view.textContent).toBe("HelloOneTwo");
});

test("a card is left by its button", async () => {
  const shown = showCard(view, { button: { label: "Go on", testId: "go" } });
  view.querySelector<HTMLElement>('[data-testid="go"]')?.click();
  await shown;
});

test("a card takes the place of the one before", () => {
  void showCard(view, { testId: "first" });
  void showCard(view, { testId: "second" });
  expect([...view.querySelectorAll<HTMLElement>(".card")].map((card) => card.dataset.testid)).toEqual(["second"]);
});
