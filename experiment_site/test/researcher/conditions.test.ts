// @vitest-environment happy-dom
import { describe, expect, test } from "vitest";
import { conditionTable, evenness } from "../../src/researcher/conditions";
import { counts, overview } from "./fixtures";

const texts = (table: HTMLElement, selector: string) =>
  [...table.querySelectorAll(selector)].map((cell) => cell.textContent);

const table = conditionTable(
  overview({
    conditions: [counts({ finished: 10, under_way: 2 }), counts({ finished: 20, screened_out: 5 })],
    total: counts({ finished: 30, under_way: 2, screened_out: 5 }),
  }),
);

test("there is a row per condition and one for all", () => {
  expect(texts(table, "tbody tr:nth-child(1) > *")).toEqual(["0", "10", "2", "0", "0"]);
  expect(texts(table, "tbody tr:nth-child(2) > *")).toEqual(["1", "20", "0", "0", "5"]);
  expect(texts(table, "tfoot tr > *")).toEqual(["All", "30", "2", "0", "5"]);
});

test("states that no session has are left out, but for those that every study has", () => {
  expect(texts(table, "thead th")).toEqual(["Condition", "Finished", "Under way", "Dropped out", "Screened out"]);
  expect(texts(conditionTable(overview()), "thead th")).toEqual(["Condition", "Finished", "Under way", "Dropped out"]);
});

test("bars of all cells have one scale", () => {
  const widths = [...table.querySelectorAll<HTMLElement>(".bar span")].map((fill) => fill.style.width);
  expect(widths).toEqual(["50%", "10%", "0%", "0%", "100%", "0%", "0%", "25%"]);
});

test("before anyone has come all bars are empty", () => {
  const widths = [...conditionTable(overview()).querySelectorAll<HTMLElement>(".bar span")].map((f) => f.style.width);
  expect(new Set(widths)).toEqual(new Set(["0%"]));
});

describe("how even the conditions are is said in words", () => {
  test.each([
    [[7, 7, 7], "Finished participants: 7 in every condition."],
    [[7, 5, 8], "Finished participants: from 5 to 8 in a condition."],
    [[7], "One condition."],
  ])("%s", (finished, sentence) => {
    expect(evenness(finished.map((count) => counts({ finished: count })))).toBe(sentence);
  });
});
