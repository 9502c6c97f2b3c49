// The white card of every page around the trials: a heading, text and usually one button.

import { make } from "../dom";

interface ButtonText {
  readonly label: string;
  readonly testId: string;
}

export interface Card {
  readonly testId?: string;
  readonly title?: string;
  readonly content?: readonly Node[];
  readonly button?: ButtonText;
}

/** Show a card; resolves when its button is pressed, never if it has none. */
export function showCard(view: HTMLElement, card: Card): Promise<void> {
  const element = make("section", { class: "card" }, ...(card.content ?? []));
  if (card.testId !== undefined) {
    element.dataset.testid = card.testId;
  }
  if (card.title !== undefined) {
    element.prepend(make("h1", {}, card.title));
  }
  const button = card.button === undefined ? null : new CardButton(card.button, "primary");
  if (button !== null) {
    element.append(button.element);
  }
  view.replaceChildren(make("div", { class: "page" }, element));
  // Screen readers start here, and keys scroll the card.
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  return button === null ? new Promise(() => {}) : button.pressed;
}

/** A button for the content of a card. */
export class CardButton {
  readonly element: HTMLButtonElement;
  readonly pressed: Promise<void>;

  constructor({ label, testId }: ButtonText, rank: "primary" | "secondary") {
    this.element = make("button", { type: "button", class: rank, "data-testid": testId }, label);
    this.pressed = new Promise((resolve) => {
      this.element.addEventListener("click", () => resolve(), { once: true });
    });
  }
}

/** A page of the study: HTML that the server rendered from Markdown and sanitised. */
export function studyText(html: string): HTMLElement {
  const text = make("div", { class: "text" });
  text.innerHTML = html;
  return text;
}

export const paragraphs = (...texts: string[]): HTMLElement[] => texts.map((text) => make("p", {}, text));
