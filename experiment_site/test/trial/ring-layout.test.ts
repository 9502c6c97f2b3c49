import { describe, expect, test } from "vitest";
import { fieldSize, ringAngles, ringLayout } from "../../src/trial/ring-layout";

const NUMBERS = Array.from({ length: 15 }, (_, i) => i + 2);
const FIELDS = [540, 810, 1296];

const degrees = (radians: number) => Math.round((radians * 180) / Math.PI) % 360;

describe("choices stand on the ring", () => {
  test("two of them: the first left, the second right", () => {
    const [first, second] = ringLayout(800, { stimulus: 200, choice: 100, n: 2 }).centres;
    expect(first?.x).toBeLessThan(400);
    expect(second?.x).toBeGreaterThan(400);
    expect(first?.y).toBeCloseTo(400);
  });

  test("an even number begins right, an odd number at the bottom", () => {
    expect(ringAngles(4).map(degrees)).toEqual([0, 90, 180, 270]);
    expect(ringAngles(3).map(degrees)).toEqual([90, 210, 330]);
  });

  test.each(NUMBERS)("%i of them are symmetric left to right", (n) => {
    const { centres } = ringLayout(800, { stimulus: 200, choice: 100, n });
    for (const { x, y } of centres) {
      expect(centres.some((other) => Math.abs(other.x - (800 - x)) < 1e-6 && Math.abs(other.y - y) < 1e-6)).toBe(true);
    }
  });

  test("half-way between the image and the edge of the field", () => {
    const { centres } = ringLayout(800, { stimulus: 200, choice: 60, n: 4 });
    expect(centres[0]).toEqual({ x: 400 + (100 + 400) / 2, y: 400 });
  });
});

describe.each(FIELDS)("in a field of %i px", (field) => {
  test.each(NUMBERS)("%i choices overlap neither image, neighbours nor edge, and stay legible", (n) => {
    for (const stimulus of [0.1, 0.35, 0.7, 1.4].map((part) => part * field)) {
      const layout = ringLayout(field, { stimulus, choice: 0.3 * field, n });
      const radius = layout.choice / 2;
      expect(layout.choice).toBeGreaterThan(50);
      expect(layout.stimulus).toBeLessThanOrEqual(0.7 * field);
      layout.centres.forEach(({ x, y }, i) => {
        const beyond = (at: number) => Math.max(0, Math.abs(at - field / 2) - layout.stimulus / 2);
        expect(Math.hypot(beyond(x), beyond(y))).toBeGreaterThan(radius);
        expect(Math.min(x, y, field - x, field - y)).toBeGreaterThan(radius);
        for (const other of layout.centres.slice(i + 1)) {
          expect(Math.hypot(other.x - x, other.y - y)).toBeGreaterThan(layout.choice);
        }
      });
    }
  });
});

test("image and choices have the size wished for where there is room", () => {
  expect(ringLayout(810, { stimulus: 315, choice: 90, n: 4 })).toMatchObject({ stimulus: 315, choice: 90 });
});

test("the field takes 90 % of the height or 95 % of the width", () => {
  expect(fieldSize(1440, 900)).toBe(810);
  expect(fieldSize(600, 900)).toBe(570);
});

test("the choices go round clockwise, an odd one at the bottom", () => {
  const [bottom, left, right] = ringLayout(800, { stimulus: 200, choice: 60, n: 3 }).centres;
  expect(bottom?.y).toBeGreaterThan(600);
  expect(left?.x).toBeLessThan(300);
  expect(right?.x).toBeGreaterThan(500);
  expect(left?.y).toBeLessThan(400);
});

test("a stimulus gives way to no choice that is small on purpose", () => {
  expect(ringLayout(400, { stimulus: 280, choice: 30, n: 4 })).toMatchObject({ stimulus: 280, choice: 30 });
});
