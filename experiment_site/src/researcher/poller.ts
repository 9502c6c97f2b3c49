// Polls while the page is visible.

export interface Listener<T> {
  readonly onResult: (result: T) => void;
  /** A request failed; polling continues. */
  readonly onFailure: (error: unknown) => void;
}

export class Poller<T> {
  readonly #ask: () => Promise<T>;
  readonly #listener: Listener<T>;
  readonly #intervalMsec: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPolling = false;
  #pollAgain = false;
  #isStopped = false;

  constructor(ask: () => Promise<T>, listener: Listener<T>, intervalMsec: number) {
    this.#ask = ask;
    this.#listener = listener;
    this.#intervalMsec = intervalMsec;
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  /** Poll now, and then at intervals. During a request, whose result may be outdated, poll once more after it. */
  async now(): Promise<void> {
    if (this.#isPolling) {
      this.#pollAgain = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#isPolling = true;
    do {
      this.#pollAgain = false;
      await this.#once();
    } while (this.#pollAgain && !this.#isStopped);
    this.#isPolling = false;
    if (!this.#isStopped && !document.hidden) {
      this.#timer = setTimeout(() => void this.now(), this.#intervalMsec);
    }
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#onVisibility);
  }

  async #once(): Promise<void> {
    let result: T;
    try {
      result = await this.#ask();
    } catch (error) {
      if (!this.#isStopped) {
        this.#listener.onFailure(error);
      }
      return;
    }
    if (!this.#isStopped) {
      this.#listener.onResult(result);
    }
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#timer);
    if (!document.hidden) {
      void this.now();
    }
  };
}
