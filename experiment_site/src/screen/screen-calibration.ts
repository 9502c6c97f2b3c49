// Measures the screen's scale (a bank card held against it) and the viewing distance (the blind spot) with jsPsych's
// virtual chinrest (Li, Joo, Yeatman & Reinecke 2020, https://doi.org/10.1038/s41598-019-57204-1), and asks until the
// result can be right. The plugin moves its ball by frames, on a screen of 120 Hz twice as fast as on one of 60 Hz, and
// the time that it takes to press the key makes the distance seem larger.

import VirtualChinrest from "@jspsych/plugin-virtual-chinrest";
import { initJsPsych } from "jspsych";
import { make } from "../dom";
import { CardButton, paragraphs, showCard } from "../pages/card";
import { strings } from "../strings";
import { isPlausible, type ScreenScale } from "./screen-scale";

/** The drawn card at first, and how far it can be resized: from a coarse projector to the finest laptop. CSS px. */
const FIRST_CARD_WIDTH = 320;
const CARD_WIDTHS = { min: 120, max: 720 };
const CARD_MM = { width: 85.6, height: 53.98 };
const BLIND_SPOT_REPEATS = 5;

interface Measurement {
  readonly cardWidth: number;
  readonly scale: ScreenScale;
}

/** The screen's scale; null if it cannot be had and the participant goes on without. */
export async function calibrateScreen(view: HTMLElement): Promise<ScreenScale | null> {
  let cardWidth = FIRST_CARD_WIDTH;
  for (;;) {
    const measured = await measure(view, cardWidth);
    const verdict = await (isPlausible(measured.scale) ? confirmDistance : admitFailure)(view, measured.scale);
    if (verdict === "accept") {
      return measured.scale;
    }
    if (verdict === "skip") {
      return null;
    }
    cardWidth = measured.cardWidth; // the card need not be held up twice
  }
}

async function measure(view: HTMLElement, cardWidth: number): Promise<Measurement> {
  const display = make("div", { class: "card calibration", "data-testid": "calibration" });
  view.replaceChildren(make("div", { class: "page" }, display));
  const jsPsych = initJsPsych({ display_element: display });
  const listening = new AbortController();
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
      viewing_distance_report: "none", // the plugin's own way back measures the blind spot only once
      on_load: () => {
        undress(display);
        followSlider(display, listening.signal);
        keepKeys(display, listening.signal);
      },
    },
  ]);
  listening.abort();
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

/** Take from the plugin's parts what they are styled with inline: the style sheet does it. */
function undress(display: HTMLElement): void {
  for (const part of display.querySelectorAll<HTMLElement>("#content, #item, #jspsych-resize-handle")) {
    part.style.backgroundColor = "";
    part.style.borderColor = "";
  }
  display.querySelector<HTMLElement>("#content")?.style.removeProperty("width");
}

/** The plugin lets the card be dragged with a mouse; the slider does it by key and touch, and pixel by pixel. */
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

/** The plugin hears the space bar only while the focus is inside, which it loses with its first button. */
function keepKeys(display: HTMLElement, signal: AbortSignal): void {
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

/** Some cannot do it, such as people who see with one eye only: they go on all the same. */
function admitFailure(view: HTMLElement): Promise<Verdict> {
  const repeat = new CardButton({ label: strings.measureAgain, testId: "measure-again" }, "primary");
  const skip = new CardButton({ label: strings.goOnWithoutMeasuring, testId: "skip-measuring" }, "secondary");
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
