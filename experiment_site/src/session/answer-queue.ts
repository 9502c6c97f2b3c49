// Brings answers to the server: kept first, then sent in order, again and again until the server says they are stored.
// Never makes the participant wait. Knows nothing of how answers come about.

import type { Response, Stored } from "../contract";
import type { AnswerStore } from "./answer-store";
import { RequestFailed } from "./api";
import { backOffMsec, sleep } from "./back-off";

const BATCH = 10;
/** The server takes no more answers in a request. */
const LAST_BATCH = 50;
/** Requests that outlive their page may carry 64 KB, all of them together; some of it stands around the answers. */
const LAST_BYTES = 60_000;

export interface QueueOptions {
  readonly store: AnswerStore;
  readonly send: (responses: readonly Response[], keepalive: boolean) => Promise<Stored>;
  readonly wait?: (msec: number) => Promise<void>;
  readonly random?: () => number;
}

export class AnswerQueue {
  /** Rejects with the server's refusal once sending on makes no sense; never resolves. */
  readonly refused: Promise<never>;
  /** Called with the number of answers still to be sent whenever it changes. */
  onChange: (nWaiting: number) => void = () => {};

  readonly #options: QueueOptions;
  readonly #waiting: Map<number, Response>;
  /** Every answer that this page has seen, in case the server misses one after all. */
  readonly #seen: Map<number, Response>;
  /** Resolves when all answers so far are kept. */
  #kept: Promise<void> = Promise.resolve();
  #refuse!: (error: unknown) => void;
  #isStopped = false;
  #isSending = false;
  /** Answers in requests that may outlive the page, with their size in bytes. */
  readonly #leaving = new Map<number, number>();
  #wake: () => void = () => {};
  #onEmpty: (() => void)[] = [];

  /** A queue that goes on with what an earlier visit left unsent. */
  static async open(options: QueueOptions): Promise<AnswerQueue> {
    const leftOver = await options.store.waiting().catch((error: unknown): Response[] => {
      console.warn("what an earlier visit left cannot be read; those trials are shown again", error);
      return [];
    });
    const queue = new AnswerQueue(options, leftOver);
    void queue.#sendAll();
    return queue;
  }

  private constructor(options: QueueOptions, leftOver: readonly Response[]) {
    this.#options = options;
    this.#waiting = new Map(leftOver.map((response) => [response.index, response]));
    this.#seen = new Map(this.#waiting);
    this.refused = new Promise((_, reject) => {
      this.#refuse = reject;
    });
    // Whoever awaits `refused` learns of it; nobody awaiting it yet is no error in itself.
    this.refused.catch(() => {});
  }

  /** Indices of the answers that the server has not confirmed. */
  get waiting(): ReadonlySet<number> {
    return new Set(this.#waiting.keys());
  }

  /** Keep an answer and send it when its turn comes. Resolves as soon as it is kept. */
  async add(response: Response): Promise<void> {
    this.#waiting.set(response.index, response);
    this.#seen.set(response.index, response);
    this.onChange(this.#waiting.size);
    this.#kept = this.#kept.then(() => this.#keep(response));
    await this.#kept;
    void this.#sendAll();
  }

  /** Put answers that the server misses back into the queue; false if one of them is not known here. */
  async resend(indices: readonly number[]): Promise<boolean> {
    const known = indices.flatMap((index) => this.#seen.get(index) ?? []);
    for (const response of known) {
      await this.add(response);
    }
    return known.length === indices.length;
  }

  /** Resolves when the server has everything. */
  whenEmpty(): Promise<void> {
    return this.#waiting.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Try at once what is waiting for its next attempt: the line may be back. */
  hurry(): void {
    this.#wake();
  }

  /** A last attempt while the page is being left; what it does not bring over is sent after the next opening. */
  async flush(): Promise<void> {
    const batch = this.#leave();
    if (batch.length === 0 || this.#isStopped) {
      return;
    }
    try {
      await this.#confirm(await this.#options.send(batch, true));
    } catch {
      // The ordinary sending goes on with it.
    } finally {
      for (const response of batch) {
        this.#leaving.delete(response.index);
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
      await this.#kept;
      const batch = this.#inOrder().slice(0, BATCH);
      try {
        const { stored } = await this.#options.send(batch, false);
        if (!batch.some((response) => stored.includes(response.index))) {
          throw new RequestFailed(null, "the server confirmed none of the answers");
        }
        await this.#confirm({ stored });
        failures = 0;
      } catch (error) {
        if (error instanceof RequestFailed && !error.mayPass) {
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

  async #keep(response: Response): Promise<void> {
    try {
      await this.#options.store.put(response);
    } catch (error) {
      console.warn("an answer could not be kept in the browser; it is sent from memory", error);
    }
  }

  #inOrder(): Response[] {
    return [...this.#waiting.values()].sort((a, b) => a.index - b.index);
  }

  /** The first answers that still fit into a request that outlives the page. Leaving a page has several events. */
  #leave(): Response[] {
    const encoder = new TextEncoder();
    let left = [...this.#leaving.values()].reduce((rest, size) => rest - size, LAST_BYTES);
    const batch: Response[] = [];
    for (const response of this.#inOrder().filter(({ index }) => !this.#leaving.has(index))) {
      const size = encoder.encode(`${JSON.stringify(response)},`).length;
      left -= size;
      if (left < 0 || batch.length === LAST_BATCH) {
        break;
      }
      this.#leaving.set(response.index, size);
      batch.push(response);
    }
    return batch;
  }

  async #confirm({ stored }: { readonly stored: readonly number[] }): Promise<void> {
    const confirmed = stored.filter((index) => this.#waiting.delete(index));
    try {
      await this.#options.store.remove(confirmed);
    } catch (error) {
      console.warn("confirmed answers stay in the browser; sending them again does no harm", error);
    }
    this.onChange(this.#waiting.size);
    if (this.#waiting.size === 0) {
      for (const resolve of this.#onEmpty.splice(0)) {
        resolve();
      }
    }
  }

  async #pause(msec: number): Promise<void> {
    const hurried = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([(this.#options.wait ?? sleep)(msec), hurried]);
  }
}
