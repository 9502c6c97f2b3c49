// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Trial } from "../../src/contract";
import { DrawnTrialScreen } from "../../src/trial/trial-screen";
import { aTrial, stubCanvas } from "../fixtures";

beforeEach(stubCanvas);

afterEach(() => {
  vi.restoreAllMocks();
});

function screenOf(trial: Trial, icons: readonly string[] = [], pxPerDegree: number | null = null) {
  const events = { onFixation: vi.fn(), onChoice: vi.fn(), onContinue: vi.fn() };
  const images = icons.map((url) => [url, document.createElement("img")] as const);
  const screen = new DrawnTrialScreen(trial, { stimulus: null, icons: new Map(images) }, events, pxPerDegree);
  document.body.replaceChildren(screen.root);
  const button = (testId: string) => {
    const found = screen.root.querySelector<HTMLButtonElement>(`[data-testid="${testId}"]`);
    return found ?? expect.fail(`no button ${testId}`);
  };
  return { screen, events, button };
}

const isHidden = (element: Element) => element.closest(".hidden") !== null;

describe("the button of a choice", () => {
  const trial = aTrial({ choice_names: ["Leda", "Tyro"], choice_image_urls: ["Leda.png", "Tyro.png"] });

  test("shows its image in place of the name, which it keeps for those who cannot see it", () => {
    const { button } = screenOf(trial, ["Leda.png", "Tyro.png"]);
    for (const [i, name] of trial.choice_names.entries()) {
      const choice = button(`choice-${i}`);
      expect(choice.querySelector("img")).not.toBeNull();
      expect(choice.querySelector(".label")).toBeNull();
      expect(choice.getAttribute("aria-label")).toBe(`${name}, key ${i + 1}`);
    }
  });

  test("reads as its name, on however many lines, and shows its key beside", () => {
    const names = ["riband wave of the heath", "Tyro"];
    const { button } = screenOf(aTrial({ choice_names: names, choice_width_degrees_default: 1 }));
    for (const [i, name] of names.entries()) {
      expect(button(`choice-${i}`).textContent).toBe(name);
      expect(button(`choice-${i}`).dataset.key).toBe(`${i + 1}`);
    }
  });

  test("shows its name where its image could not be loaded", () => {
    const { button } = screenOf(trial, ["Tyro.png"]);
    expect(button("choice-0").querySelector(".label")?.textContent).toBe("Leda");
    expect(button("choice-0").querySelector("img")).toBeNull();
    expect(button("choice-1").querySelector("img")).not.toBeNull();
  });

  test("shows the drawn shape on a calibration trial, though there be an image", () => {
    const urls = ["circle.png", "Tyro.png", "triangle.png"];
    const names = ["circle", "Tyro", "triangle"];
    const check = aTrial({ shape: "circle", stimulus_url: null, choice_names: names, choice_image_urls: urls });
    const { button } = screenOf(check, urls);
    const drawn = names.map((_, i) => button(`choice-${i}`).firstElementChild?.getAttribute("class"));
    expect(drawn).toEqual(["drawing circle", null, "drawing triangle"]);
    expect(button("choice-0").getAttribute("aria-label")).toBe("Circle, key 1");
  });
});

describe("the fixation cross", () => {
  test("is a button that has the focus, so that a press of a key is a click", () => {
    const { screen, events, button } = screenOf(aTrial({ show_fixation: true }));
    expect(screen.root.dataset.phase).toBe("fixation");
    expect(isHidden(button("fixation"))).toBe(true);
    screen.showFixation();
    expect(isHidden(button("fixation"))).toBe(false);
    expect(document.activeElement).toBe(button("fixation"));
    button("fixation").click();
    expect(events.onFixation).toHaveBeenCalledTimes(1);
  });

  test("is not clicked by a key that is still held from the trial before", () => {
    const { screen, button } = screenOf(aTrial({ show_fixation: true }));
    screen.showFixation();
    const isTaken = (repeat: boolean) =>
      button("fixation").dispatchEvent(new KeyboardEvent("keydown", { key: " ", repeat, cancelable: true }));
    expect(isTaken(true)).toBe(false);
    expect(isTaken(false)).toBe(true);
  });

  test("takes the cursor with it until the choices appear", () => {
    const { screen, button } = screenOf(aTrial({ show_fixation: true }));
    const hasCursor = () => !screen.root.classList.contains("cursorless");
    screen.showFixation();
    expect(hasCursor()).toBe(true);
    screen.hideFixation();
    expect(isHidden(button("fixation"))).toBe(true);
    screen.showStimulus();
    screen.hideStimulus();
    expect(hasCursor()).toBe(false);
    screen.showChoices();
    expect(hasCursor()).toBe(true);
  });
});

describe("an image and its choices are as wide as the study says", () => {
  const trial = aTrial({ stimulus_width_degrees: 6, choice_width_degrees_default: 2 });

  beforeEach(() => {
    Object.assign(window, { innerWidth: 1200, innerHeight: 1000 });
    vi.spyOn(window, "screen", "get").mockReturnValue({ width: 1440, height: 900 } as Screen);
  });

  test("in degrees as measured on this screen", () => {
    expect(screenOf(trial, [], 40).screen.layout).toMatchObject({ stimulus: 240, choice: 80 });
  });

  test("in degrees at a usual distance where the screen was not measured", () => {
    const { stimulus, choice } = screenOf(trial).screen.layout;
    expect(stimulus).toBeCloseTo(0.175 * 900);
    expect(choice).toBeCloseTo((0.175 * 900) / 3);
  });
});
