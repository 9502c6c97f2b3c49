// Measures the screen's scale (a bank card held against it) and the viewing distance (the blind spot) with jsPsych's
// virtual chinrest (Li, Joo, Yeatman & Reinecke 2020, https://doi.org/10.1038/s41598-019-57204-1), and repeats until
// the result is plausible. The plugin moves its ball per frame, at 120 Hz twice as fast as at 60 Hz, and the reaction time
// of the key press increases the measured distance.

import VirtualChinrest from "@jspsych/plugin-virtual-chinrest";
import { initJsPsych } from "jspsych";
import { make } from "../dom";
import { CardButton, paragraphs, showCard } from "../pages/card";
import { strings } from "../strings";
import { isPlausible, type ScreenScale } from "./screen-scale";

/** Initial width of the drawn card, and its range: from a coarse projector to the finest laptop. CSS px. */
const FIRST_CARD_WIDTH = 320;
const CARD_WIDTHS = { min: 120, max: 720 };
const CARD_MM = { width: 85.6, height: 53.98 };
const BLIND_SPOT_REPEATS = 5;

interface Measurement {
  readonly cardWidth: number;
  readonly scale: ScreenScale;
}

/** The screen's scale; null if the participant continues without a measurement. */
export async function calibrateScreen(view: HTMLElement): Promise<ScreenScale | null> {
  let cardWidth = FIRST_CARD_WIDTH;
  for (;;) {
    const measurement = await measure(view, cardWidth);
    const verdict = await (isPlausible(measurement.scale) ? confirmDistance : offerRetry)(view, measurement.scale);
    if (verdict === "accept") {
      return measurement.scale;
    }
    if (verdict === "skip") {
      return null;
    }
    cardWidth = measurement.cardWidth; // so that nobody fits the card twice
  }
}

async function measure(view: HTMLElement, cardWidth: number): Promise<Measurement> {
  const display = make("div", { class: "card calibration", "data-testid": "calibration" });
  view.replaceChildren(make("div", { class: "page" }, display));
  const jsPsych = initJsPsych({ display_element: display });
  const listeners = new AbortController();
  await jsPsych.run([
    {
      type: VirtualChinrest,
      item_width_mm: CARD_MM.width,
      item_height_mm: CARD_MM.height,
      item_init_size: cardWidth,
      adjustment_prompt: cardPrompt(cardWidth),
      adjustment_button_prompt: strings.cardFits,
      blindspot_reps: BLIND_SPOT_REPEATS,
      blindspot_prompt: blindSpotPrompt(),
      blindspot_measurements_prompt: `${strings.measurementsLeft} `,
      viewing_distance_report: "none", // the plugin's own retry measures the blind spot only once
      on_load: () => {
        removeInlineStyles(display);
        followSlider(display, listeners.signal);
        holdFocus(display, listeners.signal);
      },
    },
  ]);
  listeners.abort();
  const [row] = jsPsych.data.get().values() as [{ item_width_px: number; px2deg: number; view_dist_mm: number }];
  return {
    cardWidth: row.item_width_px,
    scale: { px_per_degree: row.px2deg, viewing_distance_mm: row.view_dist_mm },
  };
}

function cardPrompt(cardWidth: number): string {
  const slider = make("input", {
    id: "card-width",
    type: "range",
    min: `${CARD_WIDTHS.min}`,
    max: `${CARD_WIDTHS.max}`,
    value: `${cardWidth}`,
    "data-testid": "card-width",
  });
  const parts = [
    make("h1", {}, strings.cardTitle),
    ...paragraphs(...strings.card),
    make("label", { for: "card-width" }, strings.cardWidth),
    slider,
  ];
  return parts.map((part) => part.outerHTML).join("");
}

function blindSpotPrompt(): string {
  const steps = make("ol", {}, ...strings.blindSpotSteps.map((step) => make("li", {}, step)));
  return [make("h1", {}, strings.blindSpotTitle), ...paragraphs(strings.blindSpot), steps]
    .map((part) => part.outerHTML)
    .join("");
}

/** Remove the plugin's inline styles in favour of the style sheet. */
function removeInlineStyles(display: HTMLElement): void {
  for (const part of display.querySelectorAll<HTMLElement>("#content, #item, #jspsych-resize-handle")) {
    part.style.backgroundColor = "";
    part.style.borderColor = "";
  }
  display.querySelector<HTMLElement>("#content")?.style.removeProperty("width");
}

/** The plugin resizes the card by mouse only; the slider adds keys, touch and single pixels. */
function followSlider(display: HTMLElement, signal: AbortSignal): void {
  const card = display.querySelector<HTMLElement>("#item");
  const slider = display.querySelector<HTMLInputElement>("#card-width");
  if (card === null || slider === null) {
    throw new Error("the calibration page lacks the card or its slider");
  }
  slider.addEventListener("input", () => {
    card.style.width = `${slider.value}px`;
    card.style.height = `${Math.round((Number(slider.value) * CARD_MM.height) / CARD_MM.width)}px`;
  });
  const showDragged = () => {
    slider.value = `${Number.parseInt(card.style.width, 10)}`;
  };
  display.addEventListener("mousemove", showDragged, { signal });
}

/** The plugin receives keys only while it has the focus, which it loses with its first button. */
function holdFocus(display: HTMLElement, signal: AbortSignal): void {
  const takeFocus = () => {
    if (document.activeElement === document.body) {
      display.focus();
    }
  };
  document.addEventListener("click", takeFocus, { signal });
  const stayInPlace = (event: KeyboardEvent) => {
    if (event.key === " " && event.target === display) {
      event.preventDefault(); // it would scroll the page
    }
  };
  display.addEventListener("keydown", stayInPlace, { signal });
}

type Verdict = "accept" | "repeat" | "skip";

function confirmDistance(view: HTMLElement, { viewing_distance_mm }: ScreenScale): Promise<Verdict> {
  const accept = new CardButton({ label: strings.distanceIsRight, testId: "distance-right" }, "primary");
  const repeat = new CardButton({ label: strings.measureAgain, testId: "measure-again" }, "secondary");
  return ask(view, strings.distanceTitle, strings.distance(viewing_distance_mm), { accept, repeat });
}

/** Some people cannot do it, for example with one eye only: they may continue. */
function offerRetry(view: HTMLElement): Promise<Verdict> {
  const repeat = new CardButton({ label: strings.measureAgain, testId: "measure-again" }, "primary");
  const skip = new CardButton({ label: strings.continueWithoutMeasuring, testId: "skip-measuring" }, "secondary");
  return ask(view, strings.implausibleTitle, strings.implausible, { repeat, skip });
}

function ask(
  view: HTMLElement,
  title: string,
  sentence: string,
  answers: Partial<Record<Verdict, CardButton>>,
): Promise<Verdict> {
  const buttons = Object.entries(answers) as [Verdict, CardButton][];
  const row = make("div", { class: "answers" }, ...buttons.map(([, button]) => button.element));
  void showCard(view, { testId: "distance", title, content: [...paragraphs(sentence), row] });
  return Promise.race(buttons.map(([verdict, button]) => button.pressed.then(() => verdict)));
}
