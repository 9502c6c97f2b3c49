// Uploads answers: each is first saved in the browser, then sent in order and retried until the server has stored it.
// Never makes the participant wait. Knows nothing of trials.

import type { Response, Stored } from "../contract";
import type { AnswerStore } from "./answer-store";
import { RequestFailed } from "./api";
import { backOffMsec, sleep } from "./back-off";

const BATCH = 10;
/** The most answers that the server accepts in one request. */
const MAX_FLUSH_ANSWERS = 50;
/** Requests that outlive their page may carry 64 KB in total; a little of it is not answers. */
const MAX_FLUSH_BYTES = 60_000;

export interface QueueOptions {
  readonly store: AnswerStore;
  readonly send: (responses: readonly Response[], keepalive: boolean) => Promise<Stored>;
  readonly wait?: (msec: number) => Promise<void>;
  readonly random?: () => number;
}

export class AnswerQueue {
  /** Rejects with the server's error once retrying is pointless; never resolves. */
  readonly refused: Promise<never>;
  /** Called with the number of unsent answers whenever it changes. */
  onChange: (nWaiting: number) => void = () => {};

  readonly #options: QueueOptions;
  readonly #waiting: Map<number, Response>;
  /** Every answer of this visit, in case the server lacks one later. */
  readonly #all: Map<number, Response>;
  /** Resolves when all answers so far are saved in the browser. */
  #saved: Promise<void> = Promise.resolve();
  #refuse!: (error: unknown) => void;
  #isStopped = false;
  #isSending = false;
  /** Sizes in bytes of the answers in requests that may outlive the page. */
  readonly #flushing = new Map<number, number>();
  #wake: () => void = () => {};
  #onEmpty: (() => void)[] = [];

  /** A queue that resumes with the unsent answers of an earlier visit. */
  static async open(options: QueueOptions): Promise<AnswerQueue> {
    const unsent = await options.store.waiting().catch((error: unknown): Response[] => {
      console.warn("cannot read the unsent answers of an earlier visit; those trials are shown again", error);
      return [];
    });
    const queue = new AnswerQueue(options, unsent);
    void queue.#sendAll();
    return queue;
  }

  private constructor(options: QueueOptions, unsent: readonly Response[]) {
    this.#options = options;
    this.#waiting = new Map(unsent.map((response) => [response.index, response]));
    this.#all = new Map(this.#waiting);
    this.refused = new Promise((_, reject) => {
      this.#refuse = reject;
    });
    // No unhandled rejection while nobody awaits it yet.
    this.refused.catch(() => {});
  }

  /** Indices of the answers that the server has not confirmed. */
  get waiting(): ReadonlySet<number> {
    return new Set(this.#waiting.keys());
  }

  /** Save an answer and queue it for sending. Resolves as soon as it is saved. */
  async add(response: Response): Promise<void> {
    this.#waiting.set(response.index, response);
    this.#all.set(response.index, response);
    this.onChange(this.#waiting.size);
    this.#saved = this.#saved.then(() => this.#save(response));
    await this.#saved;
    void this.#sendAll();
  }

  /** Queue answers again that the server lacks; false if one of them is unknown here. */
  async resend(indices: readonly number[]): Promise<boolean> {
    const known = indices.flatMap((index) => this.#all.get(index) ?? []);
    for (const response of known) {
      await this.add(response);
    }
    return known.length === indices.length;
  }

  /** Resolves when the server has stored every answer. */
  whenEmpty(): Promise<void> {
    return this.#waiting.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Retry at once: the connection may be back. */
  retryNow(): void {
    this.#wake();
  }

  /** Last attempt while the page closes; what it cannot send is sent on the next visit. */
  async flush(): Promise<void> {
    const batch = this.#flushBatch();
    if (batch.length === 0 || this.#isStopped) {
      return;
    }
    try {
      await this.#confirm(await this.#options.send(batch, true));
    } catch {
      // The regular upload retries.
    } finally {
      for (const response of batch) {
        this.#flushing.delete(response.index);
      }
    }
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending || this.#isStopped) {
      return;
    }
    this.#isSending = true;
    let failures = 0;
    while (this.#waiting.size > 0 && !this.#isStopped) {
      await this.#saved;
      const batch = this.#inOrder().slice(0, BATCH);
      try {
        const { stored } = await this.#options.send(batch, false);
        if (!batch.some((response) => stored.includes(response.index))) {
          throw new RequestFailed(null, "the server confirmed none of the answers");
        }
        await this.#confirm({ stored });
        failures = 0;
      } catch (error) {
        if (error instanceof RequestFailed && !error.isTransient) {
          this.#isStopped = true;
          this.#refuse(error);
        } else {
          failures += 1;
          await this.#pause(backOffMsec(failures, (this.#options.random ?? Math.random)()));
        }
      }
    }
    this.#isSending = false;
  }

  async #save(response: Response): Promise<void> {
    try {
      await this.#options.store.put(response);
    } catch (error) {
      console.warn("cannot save an answer in the browser; it is sent from memory", error);
    }
  }

  #inOrder(): Response[] {
    return [...this.#waiting.values()].sort((a, b) => a.index - b.index);
  }

  /** The first answers that still fit into requests that outlive the page, which fires several events as it closes. */
  #flushBatch(): Response[] {
    const encoder = new TextEncoder();
    let freeBytes = [...this.#flushing.values()].reduce((rest, size) => rest - size, MAX_FLUSH_BYTES);
    const batch: Response[] = [];
    for (const response of this.#inOrder().filter(({ index }) => !this.#flushing.has(index))) {
      const size = encoder.encode(`${JSON.stringify(response)},`).length;
      freeBytes -= size;
      if (freeBytes < 0 || batch.length === MAX_FLUSH_ANSWERS) {
        break;
      }
      this.#flushing.set(response.index, size);
      batch.push(response);
    }
    return batch;
  }

  async #confirm({ stored }: { readonly stored: readonly number[] }): Promise<void> {
    const confirmed = stored.filter((index) => this.#waiting.delete(index));
    try {
      await this.#options.store.remove(confirmed);
    } catch (error) {
      console.warn("cannot delete stored answers from the browser; sending them again does no harm", error);
    }
    this.onChange(this.#waiting.size);
    if (this.#waiting.size === 0) {
      for (const resolve of this.#onEmpty.splice(0)) {
        resolve();
      }
    }
  }

  async #pause(msec: number): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([(this.#options.wait ?? sleep)(msec), woken]);
  }
}
