// Tells the server once a minute that the participant is still here, so that nobody else gets the slot while they rest or
// read. Each answer counts as a heartbeat.

import { RequestFailed } from "./api";

const INTERVAL_MSEC = 60_000;

export class Heartbeat {
  /** Rejects as soon as the server says that the session was opened elsewhere; never resolves. */
  readonly lost: Promise<never>;

  readonly #beat: () => Promise<unknown>;
  readonly #timer: ReturnType<typeof setInterval>;
  #skipsNext = false;

  /** Beats from now on, until it is stopped. */
  constructor(beat: () => Promise<unknown>) {
    this.#beat = beat;
    let lose: (error: unknown) => void = () => {};
    this.lost = new Promise((_, reject) => {
      lose = reject;
    });
    // No unhandled rejection while nobody awaits it yet.
    this.lost.catch(() => {});
    this.#timer = setInterval(() => void this.#tick(lose), INTERVAL_MSEC);
  }

  /** The server has stored an answer: the next heartbeat is not needed. */
  skipNext(): void {
    this.#skipsNext = true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #tick(lose: (error: unknown) => void): Promise<void> {
    if (this.#skipsNext) {
      this.#skipsNext = false;
      return;
    }
    try {
      await this.#beat();
    } catch (error) {
      // Any other failure is transient, or shows with the next answer.
      if (error instanceof RequestFailed && error.status === 401) {
        this.stop();
        lose(error);
      }
    }
  }
}
