import { expect, test } from "vitest";
import { clock, counted, duration, moment } from "../../src/researcher/words";

test.each([
  [null, "–"],
  [0.5, "30 s"],
  [4.26, "4.3 min"],
  [22.4, "22 min"],
  [135, "135 min"],
])("%s minutes are said as %s", (minutes, said) => {
  expect(duration(minutes)).toBe(said);
});

test("a time of today needs no date, another one does", () => {
  const at = new Date(2026, 0, 31, 0, 5, 9);
  expect(clock(at)).toBe("00:05:09");
  expect(moment(at, new Date(2026, 0, 31, 23, 59))).toBe("00:05");
  expect(moment(at, new Date(2026, 1, 1, 0, 1))).toMatch(/31.*, 00:05$/);
});

test("one is one, and none are many", () => {
  expect([0, 1, 2].map((count) => counted(count, "place"))).toEqual(["0 places", "1 place", "2 places"]);
});
