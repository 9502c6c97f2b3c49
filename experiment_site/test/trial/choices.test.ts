import { describe, expect, test } from "vitest";
import { answerKeys } from "../../src/trial/answer-keys";
import { choiceFaces } from "../../src/trial/choice-faces";
import { fitTexts } from "../../src/trial/fit-text";
import { aTrial } from "../fixtures";

const keys = (n: number, keypress_fj_response = false) =>
  answerKeys(aTrial({ choice_names: Array.from({ length: n }, (_, i) => `class ${i}`), keypress_fj_response }));

describe("keys", () => {
  test("are the digits in the order of the choices", () => {
    expect(keys(4)).toEqual(["1", "2", "3", "4"]);
    expect(keys(9)).toHaveLength(9);
  });

  test("are F and J where the study says so for its two classes", () => {
    expect(keys(2, true)).toEqual(["f", "j"]);
    expect(keys(4, true)).toEqual(["1", "2", "3", "4"]);
  });

  test("are not given to some of many choices only", () => {
    expect(keys(10)).toEqual([]);
  });
});

describe("the face of a choice", () => {
  const names = ["circle", "Leda", "triangle"];
  const icons = ["circle.png", "Leda.png", "triangle.png"];

  test("is its name where the study has no images of choices", () => {
    expect(choiceFaces(aTrial({ choice_names: names }))).toEqual(names.map(() => ({ kind: "name" })));
  });

  test("is its image where there is one, also if the category is called like a shape", () => {
    expect(choiceFaces(aTrial({ choice_names: names, choice_image_urls: icons }))).toEqual(
      icons.map((url) => ({ kind: "icon", url })),
    );
  });

  test("is the shape on calibration trials, which no image takes the place of", () => {
    expect(choiceFaces(aTrial({ shape: "triangle", choice_names: names, choice_image_urls: icons }))).toEqual([
      { kind: "shape", shape: "circle" },
      { kind: "icon", url: "Leda.png" },
      { kind: "shape", shape: "triangle" },
    ]);
  });

  test("is no image that another choice has as well", () => {
    const faces = choiceFaces(aTrial({ choice_names: names, choice_image_urls: ["a.png", "b.png", "a.png"] }));
    expect(faces.map((face) => face.kind)).toEqual(["name", "icon", "name"]);
  });
});

describe("names in their circles", () => {
  /** Every letter half as wide as high. */
  const width = (text: string) => 0.5 * text.length;

  test("stand in one line if they are short", () => {
    expect(fitTexts(["red"], 90, width)).toEqual([{ lines: ["red"], fontSize: 22 }]);
  });

  test("are broken between words rather than made small", () => {
    const [fitted] = fitTexts(["Idaea dimidiata"], 90, width);
    expect(fitted?.lines).toEqual(["Idaea", "dimidiata"]);
    expect(fitted?.fontSize).toBeGreaterThan(13);
  });

  test("have one size, so that none stands out", () => {
    const sizes = fitTexts(["dog", "furniture", "aircraft"], 90, width).map((fitted) => fitted.fontSize);
    expect(new Set(sizes).size).toBe(1);
  });

  test("have long words divided rather than made unreadable", () => {
    const [fitted] = fitTexts(["dermatofibroma"], 64, width);
    expect(fitted).toEqual({ lines: ["dermato-", "fibroma"], fontSize: 12 });
  });

  test("stay whole where they can be read", () => {
    expect(fitTexts(["dermatofibroma"], 110, width)[0]?.lines).toEqual(["dermatofibroma"]);
  });

  test("stay readable beside one that is too long", () => {
    const [short, long] = fitTexts(["dog", "Pseudopanthera macularia"], 64, width).map((fitted) => fitted.fontSize);
    expect(short).toBe(12);
    expect(long).toBeLessThan(12);
  });

  test.each(["basal cell carcinoma", "hyperplastic polyp", "a b c d e f g h i j k", "Pseudopanthera"])(
    "%s stays inside a circle of 64 px",
    (name) => {
      const [fitted] = fitTexts([name], 64, width);
      const { lines, fontSize } = fitted ?? { lines: [], fontSize: 0 };
      expect(lines.length * fontSize * 1.15).toBeLessThanOrEqual(64);
      expect(Math.max(...lines.map((line) => width(line) * fontSize))).toBeLessThanOrEqual(64);
      expect(lines.join(" ").replaceAll("- ", "")).toBe(name);
    },
  );
});
