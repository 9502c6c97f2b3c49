import { expect, test } from "vitest";
import { assumedPxPerDegree, isPlausible } from "../../src/screen/screen-scale";

test("unmeasured, 6 degrees are 17.5 % of the smaller side of the screen", () => {
  expect(6 * assumedPxPerDegree(1440, 900)).toBeCloseTo(157.5);
  expect(12 * assumedPxPerDegree(600, 800)).toBeCloseTo(210);
});

test.each([
  [199, false],
  [200, true],
  [570, true],
  [2_000, true],
  [2_001, false],
  [-40, false],
  [Number.NaN, false],
])("a viewing distance of %d mm is plausible: %s", (viewing_distance_mm, expected) => {
  expect(isPlausible({ px_per_degree: 40, viewing_distance_mm })).toBe(expected);
});
