// Draws one trial: fixation cross, stimulus on a canvas, choices as buttons on a ring around it, feedback. Everything is laid
// out in advance and only made visible during the trial, so that it appears on the requested frame.

import type { Trial } from "../contract";
import { make } from "../dom";
import { assumedPxPerDegree } from "../screen/screen-scale";
import { strings } from "../strings";
import { answerKeys } from "./answer-keys";
import { type ChoiceFace, choiceFaces } from "./choice-faces";
import { type FittedText, fitTexts } from "./fit-text";
import { fieldSize, type RingLayout, ringLayout } from "./ring-layout";
import { drawing, shapeOutline } from "./shapes";
import type { Phase, TrialScreen, Verdict } from "./trial-timeline";

export interface TrialImages {
  /** The decoded image; null on calibration trials. */
  readonly stimulus: ImageBitmap | null;
  /** Icons of the choices by URL; a choice without one shows its name. */
  readonly icons: ReadonlyMap<string, HTMLImageElement>;
}

export interface ScreenEvents {
  onFixation(): void;
  onChoice(choice: number, event: UIEvent): void;
  onContinue(): void;
}

export class DrawnTrialScreen implements TrialScreen {
  readonly root: HTMLElement;
  readonly layout: RingLayout;
  readonly #trial: Trial;
  readonly #images: TrialImages;
  readonly #faces: readonly ChoiceFace[];
  readonly #events: ScreenEvents;
  readonly #field: number;
  readonly #canvas: CanvasRenderingContext2D;
  readonly #choices: HTMLElement;
  readonly #fixation: HTMLButtonElement;
  readonly #feedback: HTMLElement;
  readonly #continue: HTMLButtonElement;

  /** `pxPerDegree`: CSS px per degree of visual angle as measured; null: not measured. */
  constructor(trial: Trial, images: TrialImages, events: ScreenEvents, pxPerDegree: number | null) {
    this.#trial = trial;
    this.#images = images;
    this.#faces = choiceFaces(trial);
    this.#events = events;
    this.layout = layoutOf(trial, pxPerDegree);
    this.#field = this.layout.field;
    const canvas = this.#makeCanvas();
    this.#canvas = context2d(canvas);
    this.#choices = this.#makeChoices();
    this.#fixation = this.#makeFixation();
    this.#feedback = make("div", { class: "feedback hidden" });
    this.#continue = make("button", { type: "button", class: "next hidden", "data-testid": "next" }, strings.next);
    this.#continue.addEventListener("click", () => events.onContinue());
    const field = make("div", { class: "field" }, canvas, this.#choices, this.#feedback, this.#fixation);
    field.style.width = field.style.height = `${this.#field}px`;
    this.root = make("div", { class: "trial", "data-trial-index": String(trial.index) }, field);
    this.enter(trial.show_fixation ? "fixation" : "stimulus");
    if (trial.query_string !== "") {
      this.root.prepend(make("p", { class: "query" }, trial.query_string));
    }
  }

  enter(phase: Phase): void {
    this.root.dataset.phase = phase;
  }

  showFixation(): void {
    this.#fixation.classList.remove("hidden");
    // For Enter and the space bar.
    this.#fixation.focus({ preventScroll: true });
  }

  /** Hides the cursor as well, which rests where the stimulus will be, until the choices appear. */
  hideFixation(): void {
    this.#fixation.classList.add("hidden");
    this.root.classList.add("cursorless");
  }

  showStimulus(): void {
    const canvas = this.#canvas;
    const side = this.layout.stimulus;
    const { stimulus } = this.#images;
    canvas.save();
    canvas.translate((this.#field - side) / 2, (this.#field - side) / 2);
    if (stimulus !== null) {
      const scale = side / Math.max(stimulus.width, stimulus.height);
      const [width, height] = [scale * stimulus.width, scale * stimulus.height];
      canvas.drawImage(stimulus, (side - width) / 2, (side - height) / 2, width, height);
    } else if (this.#trial.shape !== null) {
      canvas.fill(shapeOutline(this.#trial.shape, side));
    }
    canvas.restore();
  }

  hideStimulus(): void {
    this.#canvas.clearRect(0, 0, this.#field, this.#field);
  }

  showChoices(): void {
    this.root.classList.remove("cursorless");
    this.#choices.classList.remove("hidden");
  }

  hideChoices(): void {
    this.#choices.classList.add("hidden");
  }

  showFeedback(verdict: Verdict, correctChoice: number): void {
    this.showStimulus();
    const isCorrect = verdict === "correct";
    const mark = make(
      "div",
      {
        class: `mark ${isCorrect ? "right" : "wrong"}`,
        "data-testid": isCorrect ? "feedback-correct" : "feedback-incorrect",
      },
      make("span", { class: "disc" }, drawing(isCorrect ? "tick" : "cross")),
      make(
        "span",
        { class: verdict === "too_late" ? "caption" : "unseen" },
        { correct: strings.correct, incorrect: strings.incorrect, too_late: strings.tooLate }[verdict],
      ),
    );
    const name = make("p", { class: "name" }, this.#choiceName(correctChoice));
    const below = make("div", { class: "below" }, name, this.#continue);
    // The bands above and below the stimulus.
    mark.style.height = below.style.height = `${(this.#field - this.layout.stimulus) / 2}px`;
    this.#feedback.replaceChildren(mark, below);
    this.#feedback.setAttribute("role", "status");
    this.#feedback.classList.remove("hidden");
  }

  offerContinue(): void {
    this.#continue.classList.remove("hidden");
  }

  hideFeedback(): void {
    this.#feedback.classList.add("hidden");
    this.#continue.classList.add("hidden");
    this.hideStimulus();
  }

  #makeCanvas(): HTMLCanvasElement {
    const canvas = make("canvas", { role: "img", "aria-label": strings.image });
    // As many canvas pixels as the screen has; otherwise the image is scaled twice.
    canvas.width = canvas.height = Math.round(this.#field * window.devicePixelRatio);
    canvas.style.width = canvas.style.height = `${this.#field}px`;
    const context = context2d(canvas);
    const scale = canvas.width / this.#field;
    context.scale(scale, scale);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff";
    return canvas;
  }

  #makeFixation(): HTMLButtonElement {
    const fixation = make(
      "button",
      { type: "button", class: "fixation hidden", "data-testid": "fixation", "aria-label": strings.fixation },
      drawing("plus"),
    );
    fixation.addEventListener("click", () => this.#events.onFixation());
    fixation.addEventListener("keydown", (event) => {
      if (event.repeat) {
        event.preventDefault(); // held since the previous trial: not meant for this cross
      }
    });
    return fixation;
  }

  #makeChoices(): HTMLElement {
    const names = this.#trial.choice_names.map((_, i) => this.#choiceName(i));
    const fitted = fitTexts(names, this.layout.choice, nameWidth(this.#canvas));
    const keys = answerKeys(this.#trial);
    const choices = this.layout.centres.map(({ x, y }, i) => {
      const choice = this.#makeChoice(i, this.#drawnFace(i) ?? label(fitted[i]), keys[i]);
      choice.style.left = `${x - this.layout.choice / 2}px`;
      choice.style.top = `${y - this.layout.choice / 2}px`;
      choice.style.width = choice.style.height = `${this.layout.choice}px`;
      return choice;
    });
    const question = this.#trial.query_string || strings.choices;
    return make("div", { class: "choices hidden", role: "group", "aria-label": question }, ...choices);
  }

  #makeChoice(i: number, face: Element, key: string | undefined): HTMLButtonElement {
    const name = this.#choiceName(i);
    const choice = make("button", {
      type: "button",
      class: "choice",
      "data-testid": `choice-${i}`,
      "aria-label": key === undefined ? name : strings.choiceWithKey(name, key),
    });
    choice.append(face);
    if (key !== undefined) {
      choice.dataset.key = key.toUpperCase(); // drawn by the style sheet, so that it is not part of the accessible name
    }
    choice.addEventListener("click", (event) => this.#events.onChoice(i, event));
    return choice;
  }

  #choiceName(i: number): string {
    const face = this.#faces[i];
    return face?.kind === "shape" ? strings.shapes[face.shape] : (this.#trial.choice_names[i] ?? "");
  }

  /** The shape or icon of a choice; null where its name is to be shown. */
  #drawnFace(i: number): Element | null {
    const face = this.#faces[i];
    switch (face?.kind) {
      case "shape":
        return drawing(face.shape);
      case "icon":
        return this.#images.icons.get(face.url) ?? null;
      default:
        return null;
    }
  }
}

/** The layout of a trial in the current window. */
export function layoutOf(trial: Trial, pxPerDegree: number | null): RingLayout {
  const degree = pxPerDegree ?? assumedPxPerDegree(window.screen.width, window.screen.height);
  return ringLayout(fieldSize(window.innerWidth, window.innerHeight), {
    stimulus: degree * trial.stimulus_width_degrees,
    choice: degree * trial.choice_width_degrees_default,
    n: trial.choice_names.length,
  });
}

function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (context === null) {
    throw new Error("this browser cannot draw on a canvas");
  }
  return context;
}

function label(name: FittedText | undefined): HTMLElement {
  // Spaces between the lines keep the text equal to the name.
  const lines = (name?.lines ?? []).flatMap((line, i) => [...(i === 0 ? [] : [" "]), make("span", {}, line)]);
  const element = make("span", { class: "label" }, ...lines);
  element.style.fontSize = `${name?.fontSize ?? 0}px`;
  return element;
}

/** Width of a choice's name per px of font size. */
function nameWidth(canvas: CanvasRenderingContext2D): (text: string) => number {
  const font = getComputedStyle(document.body).fontFamily;
  return (text) => {
    canvas.font = `600 100px ${font}`;
    return canvas.measureText(text).width / 100;
  };
}
