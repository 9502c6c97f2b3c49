// Tells the server what went wrong on this page, so that the researchers see it: errors and missing pictures. Never in the
// participant's way, and never about itself: a report that fails is let go. Names no one: no ids, no query strings.

import type { Problem, ProblemKind } from "../contract";
import { mayPass } from "./api";
import { persistently, sleep } from "./back-off";

/** More tell the researchers nothing new. */
const MAX_REPORTS = 30;
/** The server takes no more. */
const MAX_CHARACTERS = 500;
/** A shorter id, such as a 7, occurs everywhere and tells nothing. */
const FEWEST_CHARACTERS = 4;
/** Ten minutes or so: many problems are those of the network, which keeps the report from arriving as well. */
const ATTEMPTS = 60;

export interface ReportOptions {
  readonly send: (problem: Problem) => Promise<unknown>;
  /** What no report may contain: the token and the ids of the session. */
  readonly secrets: readonly string[];
  readonly wait?: (msec: number) => Promise<void>;
}

export class ProblemReports {
  readonly #options: ReportOptions;
  /** What was reported; the same problem of many trials is one. */
  readonly #reported = new Set<string>();
  #trial: number | null = null;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** Report whatever the page does not catch itself. */
  watch(page: Pick<Window, "addEventListener">): void {
    page.addEventListener("error", (event) => this.pageError(event.error ?? event.message));
    page.addEventListener("unhandledrejection", (event) => this.pageError(event.reason));
  }

  /** The trial with this index is now on the screen. */
  noteTrial(index: number): void {
    this.#trial = index;
  }

  pageError(error: unknown): void {
    this.#report("page_error", describe(error), this.#trial);
  }

  /** `trial`: the first that needs the picture. */
  pictureMissing(message: string, trial: number | null = this.#trial): void {
    this.#report("picture_missing", message, trial);
  }

  #report(kind: ProblemKind, text: string, trial: number | null): void {
    const message = presentable(text, this.#options.secrets);
    if (this.#reported.size >= MAX_REPORTS || this.#reported.has(message)) {
      return;
    }
    this.#reported.add(message);
    const { send, wait = sleep } = this.#options;
    persistently(() => send({ kind, message, trial_index: trial }), { mayPass, attempts: ATTEMPTS, wait }).catch(
      () => {},
    );
  }
}

/** What an error says and where it came from. Anything can be thrown, not only errors. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  // The name of a script's file with line and column, which every browser's stack has.
  const [place] = error.stack?.match(/[^\s(@/]+:\d+:\d+/) ?? [];
  return `${error.name}: ${error.message}${place === undefined ? "" : ` (${place})`}`;
}

/** A single line that names no one, as long as the server takes it. */
function presentable(text: string, secrets: readonly string[]): string {
  const hidden = secrets
    .filter((secret) => secret.length >= FEWEST_CHARACTERS)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .reduce((rest, secret) => rest.replaceAll(secret, "…"), text.replace(/\?[^\s"'<>()]*=[^\s"'<>():]*/g, ""));
  const line = hidden.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return [...line].slice(0, MAX_CHARACTERS).join("") || "no message";
}
