// Reports errors of the page and missing images to the server, for the researchers. Never disturbs the participant; a report
// that fails is dropped. Reports contain no ids and no query strings.

import type { Problem, ProblemKind } from "../contract";
import { isTransient } from "./api";
import { retry, sleep } from "./back-off";

/** More reports tell the researchers nothing new. */
const MAX_REPORTS = 30;
/** The limit of the server. */
const MAX_CHARACTERS = 500;
/** A shorter id, such as 7, occurs everywhere and identifies nobody. */
const FEWEST_CHARACTERS = 4;
/** About ten minutes: often the network is the problem, and the report cannot arrive either. */
const ATTEMPTS = 60;

export interface ReportOptions {
  readonly send: (problem: Problem) => Promise<unknown>;
  /** The token and ids of the session, which no report may contain. */
  readonly secrets: readonly string[];
  readonly wait?: (msec: number) => Promise<void>;
}

export class ProblemReports {
  readonly #options: ReportOptions;
  /** Messages so far; the same problem in many trials is reported once. */
  readonly #reported = new Set<string>();
  #trial: number | null = null;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** Report uncaught errors. */
  watch(page: Pick<Window, "addEventListener">): void {
    page.addEventListener("error", (event) => this.pageError(event.error ?? event.message));
    page.addEventListener("unhandledrejection", (event) => this.pageError(event.reason));
  }

  /** The trial with this index is now on the screen. */
  setTrial(index: number): void {
    this.#trial = index;
  }

  pageError(error: unknown): void {
    this.#report("page_error", describe(error), this.#trial);
  }

  /** `trial`: the first that needs the image. */
  imageMissing(message: string, trial: number | null = this.#trial): void {
    this.#report("picture_missing", message, trial);
  }

  #report(kind: ProblemKind, text: string, trial: number | null): void {
    const message = anonymous(text, this.#options.secrets);
    if (this.#reported.size >= MAX_REPORTS || this.#reported.has(message)) {
      return;
    }
    this.#reported.add(message);
    const { send, wait = sleep } = this.#options;
    retry(() => send({ kind, message, trial_index: trial }), { isTransient, attempts: ATTEMPTS, wait }).catch(() => {});
  }
}

/** Message and source of an error. Anything can be thrown, not only errors. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  // The name of a script's file with line and column, which every browser's stack has.
  const [place] = error.stack?.match(/[^\s(@/]+:\d+:\d+/) ?? [];
  return `${error.name}: ${error.message}${place === undefined ? "" : ` (${place})`}`;
}

/** One line without ids, as long as the server accepts. */
function anonymous(text: string, secrets: readonly string[]): string {
  const hidden = secrets
    .filter((secret) => secret.length >= FEWEST_CHARACTERS)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .reduce((rest, secret) => rest.replaceAll(secret, "…"), text.replace(/\?[^\s"'<>()]*=[^\s"'<>():]*/g, ""));
  const line = hidden.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return [...line].slice(0, MAX_CHARACTERS).join("") || "no message";
}
