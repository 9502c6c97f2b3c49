// @vitest-environment happy-dom
import { ParameterType } from "jspsych";
import { beforeEach, expect, test, vi } from "vitest";
import { calibrateScreen } from "../../src/screen/screen-calibration";
import type { ScreenScale } from "../../src/screen/screen-scale";
import { strings } from "../../src/strings";

/** What the plugin measures, in turn, and the width at which it shows the card. */
const measured: { item_width_px: number; px2deg: number; view_dist_mm: number }[] = [];
const cardWidths: number[] = [];

// happy-dom lays nothing out, so that the real plugin would measure nothing; it is driven in a real browser.
vi.mock("@jspsych/plugin-virtual-chinrest", () => ({
  default: class {
    static readonly info = {
      name: "noted-chinrest",
      version: "0",
      parameters: {
        item_init_size: { type: ParameterType.INT, default: undefined },
        adjustment_prompt: { type: ParameterType.HTML_STRING, default: undefined },
      },
      data: {},
    };

    async trial(
      display: HTMLElement,
      trial: { item_init_size: number; adjustment_prompt: string },
      onLoad: () => void,
    ) {
      cardWidths.push(trial.item_init_size);
      display.innerHTML = `<div id="item"></div>${trial.adjustment_prompt}`;
      onLoad();
      return measured.shift() ?? new Promise(() => {});
    }
  },
}));

const view = document.createElement("main");

beforeEach(() => {
  document.body.replaceChildren(view);
  view.replaceChildren();
  measured.length = cardWidths.length = 0;
});

const plausible = { item_width_px: 330, px2deg: 38.5, view_dist_mm: 570 };
const absurd = { item_width_px: 340, px2deg: 9, view_dist_mm: 130 };

async function press(testId: string): Promise<void> {
  const button = await vi.waitFor(
    () => view.querySelector<HTMLElement>(`[data-testid="${testId}"]`) ?? expect.fail(`no button ${testId}`),
  );
  button.click();
  await vi.waitFor(() => expect(button.isConnected).toBe(false));
}

async function calibrate(results: typeof measured, ...presses: string[]): Promise<ScreenScale | null> {
  measured.push(...results);
  const calibrating = calibrateScreen(view).finally(() => view.replaceChildren());
  for (const testId of presses) {
    await press(testId);
  }
  return calibrating;
}

test("a confirmed distance is used", async () => {
  const scale = await calibrate([plausible], "distance-right");
  expect(scale).toEqual({ px_per_degree: 38.5, viewing_distance_mm: 570 });
});

test("a doubted distance is measured again, with the same card size", async () => {
  const nearer = { ...plausible, view_dist_mm: 400 };
  expect(await calibrate([nearer, plausible], "measure-again", "distance-right")).toMatchObject({
    viewing_distance_mm: 570,
  });
  expect(cardWidths[1]).toBe(330);
});

test("an implausible distance cannot be confirmed", async () => {
  measured.push(absurd);
  void calibrateScreen(view);
  await vi.waitFor(() => expect(view.textContent).toContain(strings.implausibleTitle));
  expect(view.querySelector('[data-testid="distance-right"]')).toBeNull();
});

test("a participant may continue without a measurement", async () => {
  expect(await calibrate([absurd], "skip-measuring")).toBeNull();
});

test("the slider resizes the drawn card in a bank card's proportions", async () => {
  void calibrateScreen(view);
  const slider = await vi.waitFor(
    () => view.querySelector<HTMLInputElement>("#card-width") ?? expect.fail("no slider"),
  );
  slider.value = "400";
  slider.dispatchEvent(new Event("input"));
  const card = view.querySelector<HTMLElement>("#item");
  expect([card?.style.width, card?.style.height]).toEqual(["400px", "252px"]);
});
