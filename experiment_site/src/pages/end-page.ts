// The last page: thanks and the remaining steps: leave an e-mail address, submit the task, copy a code.

import type { EndState, Result, SessionRequest, StudyPage } from "../contract";
import { make } from "../dom";
import { returnLink } from "../session/return-link";
import { strings } from "../strings";
import { type Card, paragraphs, showCard, studyText } from "./card";
import { contactForm } from "./contact-form";

export interface End {
  readonly result: Result;
  readonly texts: StudyPage["pages"];
  readonly request: Pick<SessionRequest, "platform" | "assignment_id">;
  /** Where a form submits the finished task; null: nowhere. */
  readonly submitTo: string | null;
  /** Sends an e-mail address to the server; null if the study asks for none. */
  readonly submitEmail: ((email: string) => Promise<unknown>) | null;
}

export function showEnd(view: HTMLElement, end: End): void {
  void showCard(view, CARDS[end.result.state](end));
}

const CARDS: Record<EndState, (end: End) => Card> = {
  completed: (end) => ({
    testId: "done",
    title: strings.doneTitle,
    content: [
      ...achievements(end.result),
      ...words(end, end.texts.done, strings.done),
      ...(end.submitEmail === null ? [] : [contactForm(end.submitEmail)]),
      ...handOver(end),
    ],
  }),
  screened_out: (end) => ({
    testId: "screened-out",
    title: strings.doneTitle,
    content: [...words(end, end.texts.screened_out, strings.screenedOut), ...handOver(end)],
  }),
  abandoned: () => ({
    testId: "abandoned",
    title: strings.abandonedTitle,
    content: paragraphs(...strings.abandoned),
  }),
};

function achievements(result: Result): Node[] {
  const facts = [
    ...(result.n_trials > 0 ? [strings.score(result)] : []),
    ...(result.bonus_usd > 0 ? [strings.bonus(result)] : []),
  ];
  return facts.map((fact) => make("p", { class: "fact" }, fact));
}

/** The study's own text, else the default. */
function words(end: End, html: string | null, byDefault: string): Node[] {
  if (html !== null) {
    return [studyText(html)];
  }
  const isAllDone = end.result.code === null && end.submitTo === null;
  return paragraphs(isAllDone ? `${byDefault} ${strings.close}` : byDefault);
}

/** How the platform learns that the participant has finished. */
function handOver({ result, request, submitTo }: End): Node[] {
  if (submitTo !== null) {
    return [...paragraphs(strings.submitTask), submission(submitTo, request.assignment_id, result.state)];
  }
  if (result.code === null) {
    return [];
  }
  const href = returnLink(request.platform, result.code);
  return [
    ...paragraphs(strings.enterCode),
    make("p", { class: "code", "data-testid": "code" }, result.code),
    ...(href === null
      ? []
      : [make("a", { class: "primary", href, "data-testid": "return-link" }, strings.returnToPlatform)]),
  ];
}

/** Mechanical Turk counts a task as done when the browser itself posts this form. */
function submission(action: string, assignmentId: string, state: string): HTMLFormElement {
  const field = (name: string, value: string) => make("input", { type: "hidden", name, value });
  return make(
    "form",
    { method: "post", action, "data-testid": "submission" },
    field("assignmentId", assignmentId),
    field("state", state),
    make("button", { type: "submit", class: "primary", "data-testid": "submit" }, strings.submit),
  );
}
