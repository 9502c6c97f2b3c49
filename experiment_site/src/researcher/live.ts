// Asks again and again while somebody looks. Knows nothing of what is asked or shown.

export interface Listener<T> {
  readonly onNews: (news: T) => void;
  /** The question was not answered; it is asked again all the same. */
  readonly onFailure: (error: unknown) => void;
}

export class Live<T> {
  readonly #ask: () => Promise<T>;
  readonly #listener: Listener<T>;
  readonly #everyMsec: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #again = false;
  #over = false;

  constructor(ask: () => Promise<T>, listener: Listener<T>, everyMsec: number) {
    this.#ask = ask;
    this.#listener = listener;
    this.#everyMsec = everyMsec;
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  /** Ask now, and from then on at intervals. What is on its way may be old news: then once more after it. */
  async now(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#asking = true;
    do {
      this.#again = false;
      await this.#once();
    } while (this.#again && !this.#over);
    this.#asking = false;
    if (!this.#over && !document.hidden) {
      this.#timer = setTimeout(() => void this.now(), this.#everyMsec);
    }
  }

  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#onVisibility);
  }

  async #once(): Promise<void> {
    let news: T;
    try {
      news = await this.#ask();
    } catch (error) {
      if (!this.#over) {
        this.#listener.onFailure(error);
      }
      return;
    }
    if (!this.#over) {
      this.#listener.onNews(news);
    }
  }

  readonly #onVisibility = (): void => {
    clearTimeout(this.#timer);
    if (!document.hidden) {
      void this.now();
    }
  };
}
