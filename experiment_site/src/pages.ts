// The pages around the trials: white cards with a heading, some text and at most one button. Each function shows one.

import type { Result, StudyPage } from "./contract";
import { make } from "./dom";
import { returnLink } from "./return-link";
import { strings } from "./strings";

interface Card {
  readonly testId?: string;
  readonly title?: string;
  readonly content?: readonly Node[];
  readonly button?: { readonly label: string; readonly testId: string };
}

/** Show a card; resolves when its button is pressed, and never if it has none. */
export function showCard(view: HTMLElement, card: Card): Promise<void> {
  const element = make("section", { class: "card" }, ...(card.content ?? []));
  if (card.testId !== undefined) {
    element.dataset.testid = card.testId;
  }
  if (card.title !== undefined) {
    element.prepend(make("h1", {}, card.title));
  }
  return new Promise((resolve) => {
    if (card.button !== undefined) {
      const button = make(
        "button",
        { type: "button", class: "primary", "data-testid": card.button.testId },
        card.button.label,
      );
      button.addEventListener("click", () => resolve(), { once: true });
      element.append(button);
    }
    view.replaceChildren(make("div", { class: "page" }, element));
    // Screen readers start here, and keys scroll the card.
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  });
}

/** What the study says on a page: HTML that the server has made from Markdown and sanitised. */
export function studyText(html: string): HTMLElement {
  const text = make("div", { class: "text" });
  text.innerHTML = html;
  return text;
}

const paragraphs = (...texts: string[]) => texts.map((text) => make("p", {}, text));

export function showConnecting(view: HTMLElement): () => void {
  const note = make("p", {}, strings.connecting);
  void showCard(view, { content: [note] });
  return () => {
    note.textContent = strings.stillConnecting;
  };
}

export function showGettingReady(view: HTMLElement): void {
  view.replaceChildren(make("p", { class: "aside" }, strings.gettingReady));
}

export function showConsent(view: HTMLElement, html: string): Promise<void> {
  return showCard(view, { content: [studyText(html)], button: { label: strings.agree, testId: "consent-agree" } });
}

/** `html`: the study's instructions; `hint`: the page's own line on clicking and keys. */
export function showTask(view: HTMLElement, html: string | null, hint: string): Promise<void> {
  return showCard(view, {
    content: [...(html === null ? [] : [studyText(html)]), make("p", { class: "hint" }, hint)],
    button: { label: strings.start, testId: "start" },
  });
}

export function showWelcomeBack(view: HTMLElement, trial: number, total: number): Promise<void> {
  return showCard(view, {
    title: strings.welcomeBackTitle,
    content: paragraphs(strings.welcomeBack(trial, total)),
    button: { label: strings.continue, testId: "continue" },
  });
}

export function showTestInstructions(view: HTMLElement, html: string): Promise<void> {
  return showCard(view, { content: [studyText(html)], button: { label: strings.startTest, testId: "test-start" } });
}

/** Shows a bar; call what it returns with every step. */
export function showLoading(view: HTMLElement): (done: number, total: number) => void {
  const bar = make("progress", { "aria-label": strings.loadingTitle });
  const count = make("p", { class: "quiet" });
  void showCard(view, { title: strings.loadingTitle, content: [bar, count] });
  return (done, total) => {
    bar.max = total;
    bar.value = done;
    count.textContent = strings.loading(done, total);
  };
}

/** Shows how many answers are on their way; call what it returns whenever the number changes. */
export function showSending(view: HTMLElement): (left: number) => void {
  const count = make("p", { role: "status" });
  const content = [count, ...paragraphs(strings.sendingPatience)];
  void showCard(view, { testId: "sending", title: strings.sendingTitle, content });
  return (left) => {
    count.textContent = strings.sending(left);
  };
}

/** The last page: thanks and, where the platform asks for one, the code. */
export function showEnd(view: HTMLElement, result: Result, texts: StudyPage["pages"], platform: string): void {
  const isCompleted = result.state === "completed";
  const html = isCompleted ? texts.done : texts.screened_out;
  const byDefault = [
    isCompleted ? strings.done : strings.screenedOut,
    ...(result.code === null ? [strings.close] : []), // with a code there is still something to do here
  ];
  void showCard(view, {
    testId: isCompleted ? "done" : "screened-out",
    title: strings.doneTitle,
    content: [
      ...(isCompleted ? achievements(result) : []),
      ...(html === null ? paragraphs(byDefault.join(" ")) : [studyText(html)]),
      ...(result.code === null ? [] : handOver(result.code, platform)),
    ],
  });
}

function achievements(result: Result): Node[] {
  const facts = [
    ...(result.n_trials > 0 ? [strings.score(result)] : []),
    ...(result.bonus_usd > 0 ? [strings.bonus(result)] : []),
  ];
  return facts.map((fact) => make("p", { class: "fact" }, fact));
}

function handOver(code: string, platform: string): Node[] {
  const href = returnLink(platform, code);
  return [
    ...paragraphs(strings.enterCode),
    make("p", { class: "code", "data-testid": "code" }, code),
    ...(href === null
      ? []
      : [make("a", { class: "primary", href, "data-testid": "return-link" }, strings.returnToPlatform)]),
  ];
}

export function showPreview(view: HTMLElement): void {
  void showCard(view, {
    testId: "preview",
    title: strings.previewTitle,
    content: [
      ...paragraphs(...strings.preview),
      make("p", { class: "hint" }, strings.previewForResearchers, " ", make("code", {}, "?PLATFORM=test")),
    ],
  });
}

/** An end that is no end: says what happened; with a label, offers to open the session again by loading the page anew. */
export async function showError(view: HTMLElement, title: string, sentence: string, again?: string): Promise<void> {
  const button = again === undefined ? {} : { button: { label: again, testId: "again" } };
  await showCard(view, { testId: "error", title, content: paragraphs(sentence), ...button });
  window.location.reload();
}
