// The pages around the trials. Each function shows one.

import { make } from "../dom";
import { strings } from "../strings";
import { paragraphs, showCard, studyText } from "./card";

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

/** Show a progress bar; the returned function updates it. */
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

/** Show how many answers are still to be sent; the returned function updates the number. */
export function showSending(view: HTMLElement): (nUnsent: number) => void {
  const count = make("p", { role: "status" });
  const content = [count, ...paragraphs(strings.sendingPatience)];
  void showCard(view, { testId: "sending", title: strings.sendingTitle, content });
  return (nUnsent) => {
    count.textContent = strings.sending(nUnsent);
  };
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

/** For workers who preview the task on Mechanical Turk. `consent`: the study's page, as HTML. */
export function showTaskPreview(view: HTMLElement, title: string, consent: string | null): void {
  void showCard(view, {
    testId: "task-preview",
    title,
    content: [...(consent === null ? [] : [studyText(consent)]), make("p", { class: "hint" }, strings.acceptToBegin)],
  });
}

export function showComputerNeeded(view: HTMLElement): void {
  void showCard(view, {
    testId: "computer-needed",
    title: strings.computerNeededTitle,
    content: paragraphs(strings.computerNeeded),
  });
}

/** Say what went wrong; with a button label, offer to reload the page. */
export async function showError(view: HTMLElement, title: string, sentence: string, again?: string): Promise<void> {
  const button = again === undefined ? {} : { button: { label: again, testId: "again" } };
  await showCard(view, { testId: "error", title, content: paragraphs(sentence), ...button });
  window.location.reload();
}
