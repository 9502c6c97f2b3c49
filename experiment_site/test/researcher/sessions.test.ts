// @vitest-environment happy-dom
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Session } from "../../src/researcher/contract";
import { SessionList } from "../../src/researcher/sessions";
import { session } from "./fixtures";

const missing = {
  kind: "picture_missing",
  message: "a.png: <b>404</b>",
  trial_index: 4,
  at: "2026-01-31T12:03:00.000+00:00",
} as const;
const SESSIONS = [
  session("p1"),
  session("p2", { progress: "dropped_out", released: "returned", may_be_released: false }),
  session("p3", {
    progress: "finished",
    may_be_released: false,
    problems: [missing, { ...missing, trial_index: null }],
  }),
];

const onRelease = vi.fn<(of: Session) => void>();
let list: SessionList;

const shown = () =>
  [...list.element.querySelectorAll<HTMLElement>("tr[data-participant]")].map((row) => row.dataset.participant);
const row = (participant: string) =>
  list.element.querySelector<HTMLElement>(`tr[data-participant="${participant}"]`) as HTMLElement;
const button = (name: string, within: HTMLElement = list.element) =>
  [...within.querySelectorAll("button")].find((one) => one.textContent?.startsWith(name)) as HTMLButtonElement;

beforeEach(() => {
  onRelease.mockClear();
  list = new SessionList(onRelease);
  document.body.replaceChildren(list.element);
  list.update(SESSIONS);
});

test("a row says who, where, how far", () => {
  expect(row("p1").textContent).toContain("Session-of-p1");
  expect(row("p1").textContent).toContain("3 of 10");
  expect(row("p2").textContent).toContain("Dropped outreturned");
});

test.each([
  ["All", ["p1", "p2", "p3"]],
  ["Under way", ["p1"]],
  ["Dropped out", ["p2"]],
  ["With problems", ["p3"]],
])("%s shows those only, also after news", (filter, expected) => {
  button(filter).click();
  expect(shown()).toEqual(expected);
  expect(button(filter).getAttribute("aria-pressed")).toBe("true");
  list.update(SESSIONS);
  expect(shown()).toEqual(expected);
});

test.each([
  ["p2", ["p2"]],
  [" session-OF-p3 ", ["p3"]],
  ["nobody", []],
])("a search for %o finds by pseudonym or session id", (wanted, expected) => {
  const input = list.element.querySelector("input") as HTMLInputElement;
  input.value = wanted;
  input.dispatchEvent(new Event("input"));
  expect(shown()).toEqual(expected);
});

test("where nobody has come it says so, where nobody fits too", () => {
  list.update([]);
  expect(list.element.textContent).toContain("Nobody has started yet.");
  list.update(SESSIONS.slice(0, 1));
  button("Dropped out").click();
  expect(list.element.textContent).toContain("No such session.");
});

describe("what went wrong", () => {
  test("is opened and closed by its button, and stays open while news comes in", () => {
    const said = () => list.element.querySelector(".problems")?.textContent ?? null;
    expect(said()).toBeNull();
    button("2 problems").click();
    expect(said()).toContain("Image missing at trial 5");
    list.update(SESSIONS);
    expect(said()).toContain("Image missing at trial 5");
    expect(button("2 problems").getAttribute("aria-expanded")).toBe("true");
    button("2 problems").click();
    expect(said()).toBeNull();
  });

  test("is shown as text, whatever a page has sent", () => {
    button("2 problems").click();
    expect(list.element.querySelector(".problems b")).toBeNull();
    expect(list.element.textContent).toContain("<b>404</b>");
  });
});

test("a place can be given back only where the server says so", () => {
  expect(button("Give back", row("p2"))).toBeUndefined();
  expect(button("Give back", row("p3"))).toBeUndefined();
  button("Give back", row("p1")).click();
  expect(onRelease).toHaveBeenCalledExactlyOnceWith(SESSIONS[0]);
});

test("news does not take the focus away", () => {
  button("Give back", row("p1")).focus();
  list.update([session("p0"), ...SESSIONS]);
  expect(document.activeElement).toBe(button("Give back", row("p1")));
});

test("of very many sessions the newest hundred are shown first", () => {
  list.update(Array.from({ length: 250 }, (_, number) => session(`p${number}`)));
  expect(shown()).toHaveLength(100);
  expect(shown()[0]).toBe("p0");
  button("Show all 250").click();
  expect(shown()).toHaveLength(250);
});
