import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Response, Stored } from "../../src/contract";
import { AnswerQueue } from "../../src/session/answer-queue";
import { openAnswerStore } from "../../src/session/answer-store";
import { RequestFailed } from "../../src/session/api";
import { aResponse } from "../fixtures";

let sessions = 0;
const newSession = () => `p${sessions++}`;

/** A server that stores answers, or fails with `failure`. */
class Server {
  readonly stored = new Map<number, Response>();
  readonly batches: number[][] = [];
  failure: RequestFailed | null = null;

  send = async (responses: readonly Response[]): Promise<Stored> => {
    this.batches.push(responses.map((response) => response.index));
    await Promise.resolve();
    if (this.failure !== null) {
      throw this.failure;
    }
    for (const response of responses) {
      this.stored.set(response.index, response);
    }
    return { stored: responses.map((response) => response.index), next_trial: 0 };
  };
}

const down = new RequestFailed(503, "down");
const inNoTime = { wait: () => new Promise<void>((resolve) => setTimeout(resolve, 1)), random: () => 0.5 };

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("the queue", () => {
  test("sends answers in order and then deletes them", async () => {
    const store = await openAnswerStore(newSession());
    const server = new Server();
    const queue = await AnswerQueue.open({ store, send: server.send, ...inNoTime });
    for (const index of numbers(25)) {
      await queue.add(aResponse(index));
    }
    await queue.whenEmpty();
    expect([...server.stored.keys()]).toEqual(numbers(25));
    expect(await store.waiting()).toEqual([]);
  });

  test("saves an answer before sending it", async () => {
    const store = await openAnswerStore(newSession());
    const savedWhenSent: number[] = [];
    const send = async (responses: readonly Response[]) => {
      savedWhenSent.push((await store.waiting()).length);
      return { stored: responses.map((response) => response.index), next_trial: 0 };
    };
    const queue = await AnswerQueue.open({ store, send, ...inNoTime });
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    expect(savedWhenSent).toEqual([1]);
  });

  test("never sends an answer before it is stored in the browser, even while others are being sent", async () => {
    const inBrowser = await openAnswerStore(newSession());
    let saveSecond = () => {};
    const saving = new Promise<void>((resolve) => {
      saveSecond = resolve;
    });
    const store = {
      ...inBrowser,
      put: async (response: Response) => {
        if (response.index === 1) {
          await saving;
        }
        await inBrowser.put(response);
      },
    };
    const sent: number[] = [];
    let deliverFirst = () => {};
    const delivering = new Promise<void>((resolve) => {
      deliverFirst = resolve;
    });
    const send = async (responses: readonly Response[]) => {
      sent.push(...responses.map((response) => response.index));
      await delivering;
      return { stored: responses.map((response) => response.index), next_trial: 0 };
    };
    const queue = await AnswerQueue.open({ store, send, ...inNoTime });
    await queue.add(aResponse(0));
    const adding = queue.add(aResponse(1));
    deliverFirst();
    await vi.waitFor(() => expect([...queue.waiting]).toEqual([1]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toEqual([0]);
    saveSecond();
    await adding;
    await queue.whenEmpty();
    expect(sent).toEqual([0, 1]);
  });

  test("reports every change of the number of unsent answers", async () => {
    const queue = await AnswerQueue.open({
      store: await openAnswerStore(newSession()),
      send: new Server().send,
      ...inNoTime,
    });
    const sizes: number[] = [];
    queue.onChange = (nWaiting) => sizes.push(nWaiting);
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    expect(sizes).toEqual([1, 0]);
    expect(await queue.resend([0, 7])).toBe(false);
  });

  test("starts with short waits again after a success", async () => {
    const waits: number[] = [];
    const server = new Server();
    let calls = 0;
    const send = (responses: readonly Response[]) => {
      calls += 1;
      return calls === 3 ? server.send(responses) : Promise.reject(down);
    };
    const wait = (msec: number) => {
      waits.push(msec);
      return waits.length < 3 ? Promise.resolve() : new Promise<void>(() => {});
    };
    const store = { waiting: async () => numbers(11).map(aResponse), put: async () => {}, remove: async () => {} };
    await AnswerQueue.open({ store, send, wait, random: () => 1 });
    await vi.waitFor(() => expect(waits).toEqual([500, 1_000, 500]));
  });

  test("sends 50 small answers and no more when the page is left: the server takes no more", async () => {
    const sizes: number[] = [];
    const send = (responses: readonly Response[], keepalive: boolean): Promise<Stored> => {
      sizes.push(...(keepalive ? [responses.length] : []));
      return Promise.reject(down);
    };
    const store = { waiting: async () => numbers(60).map(aResponse), put: async () => {}, remove: async () => {} };
    const queue = await AnswerQueue.open({ store, send, wait: () => new Promise(() => {}) });
    await queue.flush();
    expect(sizes).toEqual([50]);
  });

  test("waits until the answer is on the disk, not only handed to the operating system", async () => {
    const transaction = vi.spyOn(IDBDatabase.prototype, "transaction");
    await (await openAnswerStore(newSession())).put(aResponse(0));
    expect(transaction).toHaveBeenCalledWith("answers", "readwrite", { durability: "strict" });
    transaction.mockRestore();
  });

  test.each([400, 403, 410])("stops after status %i, which no repetition changes", async (status) => {
    const server = new Server();
    server.failure = new RequestFailed(status, "the server rejects the answers");
    const queue = await AnswerQueue.open({
      store: await openAnswerStore(newSession()),
      send: server.send,
      ...inNoTime,
    });
    await queue.add(aResponse(0));
    await expect(queue.refused).rejects.toBe(server.failure);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.batches).toHaveLength(1);
  });

  test("loses nothing while the server is down, then sends small batches", async () => {
    const store = await openAnswerStore(newSession());
    const server = new Server();
    server.failure = down;
    const queue = await AnswerQueue.open({ store, send: server.send, ...inNoTime });
    for (const index of numbers(23)) {
      await queue.add(aResponse(index));
    }
    expect(queue.waiting.size).toBe(23);
    expect(await store.waiting()).toHaveLength(23);
    server.failure = null;
    await queue.whenEmpty();
    expect([...server.stored.keys()]).toEqual(numbers(23));
    expect(Math.max(...server.batches.map((batch) => batch.length))).toBe(10);
  });

  test("resumes after a reload with the unsent answers", async () => {
    const session = newSession();
    const server = new Server();
    server.failure = down;
    const before = await AnswerQueue.open({
      store: await openAnswerStore(session),
      send: server.send,
      wait: () => new Promise(() => {}),
    });
    await before.add(aResponse(3));
    await before.add(aResponse(4));

    server.failure = null;
    const after = await AnswerQueue.open({ store: await openAnswerStore(session), send: server.send, ...inNoTime });
    expect([...after.waiting]).toEqual([3, 4]);
    await after.whenEmpty();
    expect(server.stored.get(4)).toEqual(aResponse(4));
  });

  test("waits longer after each failure, and retries at once on request", async () => {
    const waits: number[] = [];
    const server = new Server();
    server.failure = down;
    const wait = (msec: number) => {
      waits.push(msec);
      return waits.length < 4 ? Promise.resolve() : new Promise<void>(() => {});
    };
    const store = await openAnswerStore(newSession());
    const queue = await AnswerQueue.open({ store, send: server.send, wait, random: () => 1 });
    await queue.add(aResponse(0));
    await vi.waitFor(() => expect(waits).toEqual([500, 1_000, 2_000, 4_000]));
    server.failure = null;
    queue.retryNow();
    await queue.whenEmpty();
    expect(server.stored.size).toBe(1);
  });

  test("keeps answers that the server did not confirm", async () => {
    const store = await openAnswerStore(newSession());
    const server = new Server();
    let calls = 0;
    const send = async (responses: readonly Response[]) => {
      calls += 1;
      return calls === 1 ? { stored: [], next_trial: 0 } : server.send(responses);
    };
    const queue = await AnswerQueue.open({ store, send, ...inNoTime });
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    expect(calls).toBe(2);
  });

  test("stops when the session was opened elsewhere, and keeps the answers", async () => {
    const store = await openAnswerStore(newSession());
    const server = new Server();
    server.failure = new RequestFailed(401, "opened in another window");
    const queue = await AnswerQueue.open({ store, send: server.send, ...inNoTime });
    await queue.add(aResponse(0));
    await expect(queue.refused).rejects.toBe(server.failure);
    await queue.add(aResponse(1));
    await queue.flush();
    expect(server.batches).toHaveLength(1);
    expect(await store.waiting()).toHaveLength(2);
  });

  test("sends everything at once when the page closes", async () => {
    const store = await openAnswerStore(newSession());
    const sent: { count: number; keepalive: boolean }[] = [];
    const send = async (responses: readonly Response[], keepalive: boolean) => {
      sent.push({ count: responses.length, keepalive });
      if (!keepalive) {
        throw down;
      }
      return { stored: responses.map((response) => response.index), next_trial: 0 };
    };
    const queue = await AnswerQueue.open({ store, send, wait: () => new Promise(() => {}) });
    for (const index of numbers(15)) {
      await queue.add(aResponse(index));
    }
    await queue.flush();
    expect(sent.at(-1)).toEqual({ count: 15, keepalive: true });
    expect(queue.waiting.size).toBe(0);
    expect(await store.waiting()).toEqual([]);
  });

  test("stays within the size limit of requests that outlive the page", async () => {
    const left: { readonly indices: number[]; readonly bytes: number }[] = [];
    let arrive = () => {};
    const send = (responses: readonly Response[], keepalive: boolean): Promise<Stored> => {
      if (!keepalive) {
        return Promise.reject(down);
      }
      const indices = responses.map((response) => response.index);
      left.push({ indices, bytes: new Blob([JSON.stringify({ trials: responses })]).size });
      return new Promise((resolve) => {
        arrive = () => resolve({ stored: indices, next_trial: 0 });
      });
    };
    const store = await openAnswerStore(newSession());
    const queue = await AnswerQueue.open({ store, send, wait: () => new Promise(() => {}) });
    for (const index of numbers(60)) {
      // Two bytes a letter, so that characters are not mistaken for bytes.
      await queue.add({ ...aResponse(index), timestamp_start: "é".repeat(2_000) });
    }
    // Two events fire as a page closes: the second time there is no room for more.
    const flushes = [queue.flush(), queue.flush()];
    expect(left).toHaveLength(1);
    expect(left[0]?.bytes).toBeLessThan(64 * 1024);
    const count = left[0]?.indices.length ?? 0;
    expect(count).toBeGreaterThan(10);
    expect(left[0]?.indices).toEqual(numbers(count));
    arrive();
    await Promise.all(flushes);
    void queue.flush();
    expect(left[1]?.indices[0]).toBe(count);
  });

  test("sends an answer given while the page closes", async () => {
    const left: number[][] = [];
    const send = (responses: readonly Response[], keepalive: boolean): Promise<Stored> => {
      if (keepalive) {
        left.push(responses.map((response) => response.index));
      }
      return new Promise(() => {});
    };
    const queue = await AnswerQueue.open({ store: await openAnswerStore(newSession()), send });
    await queue.add(aResponse(0));
    void queue.flush();
    await queue.add(aResponse(1));
    void queue.flush();
    expect(left).toEqual([[0], [1]]);
  });

  test("sends known answers again that the server lacks", async () => {
    const server = new Server();
    const queue = await AnswerQueue.open({
      store: await openAnswerStore(newSession()),
      send: server.send,
      ...inNoTime,
    });
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    server.stored.clear();
    expect(await queue.resend([0])).toBe(true);
    await queue.whenEmpty();
    expect(server.stored.size).toBe(1);
    expect(await queue.resend([1])).toBe(false);
  });

  test("works without storage in the browser", async () => {
    const server = new Server();
    const refuse = () => Promise.reject(new Error("quota exceeded"));
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const store = { waiting: async () => [], put: refuse, remove: refuse };
    const queue = await AnswerQueue.open({ store, send: server.send, ...inNoTime });
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    expect(server.stored.size).toBe(1);
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
  });

  test("starts empty if the answers of an earlier visit cannot be read", async () => {
    const server = new Server();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const waiting = () => Promise.reject(new Error("the file is damaged"));
    const queue = await AnswerQueue.open({
      store: { waiting, put: async () => {}, remove: async () => {} },
      send: server.send,
    });
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    expect(server.stored.size).toBe(1);
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe("an outage", () => {
  const SECOND = 1_000;
  const MINUTE = 60 * SECOND;

  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** A server that cannot be reached in the beginning; sometimes it stores an answer and cannot say so. */
  class UnreachableServer {
    /** Every answer in the order in which it first arrived, as what it was then. */
    readonly stored: Response[] = [];
    readonly attemptedAt: number[] = [];
    inFlight = 0;
    most = 0;

    constructor(
      readonly up: number,
      readonly loses: (attempt: number) => boolean = () => false,
    ) {}

    send = async (responses: readonly Response[]): Promise<Stored> => {
      this.attemptedAt.push(Date.now());
      this.inFlight += 1;
      this.most = Math.max(this.most, this.inFlight);
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.inFlight -= 1;
      if (Date.now() < this.up) {
        throw down;
      }
      const known = new Set(this.stored.map((response) => response.index));
      this.stored.push(...responses.filter((response) => !known.has(response.index)));
      if (this.loses(this.attemptedAt.length)) {
        throw new RequestFailed(null, "the line was cut");
      }
      return { stored: responses.map((response) => response.index), next_trial: 0 };
    };
  }

  test.each([
    ["10 minutes", 10],
    ["3 hours", 180],
  ])("of %s costs no answer and no participant a moment", async (_, minutes) => {
    const begin = Date.now();
    const server = new UnreachableServer(begin + minutes * MINUTE, (attempt) => attempt % 3 === 0);
    const store = await openStore();
    const queue = await inTime(AnswerQueue.open({ store, send: server.send }));
    const given = numbers(minutes * 6);
    for (const index of given) {
      const kept = vi.fn();
      void queue.add(aResponse(index)).then(kept);
      await vi.advanceTimersByTimeAsync(10 * SECOND);
      expect(kept).toHaveBeenCalled();
    }
    expect(queue.waiting.size).toBeGreaterThan(given.length - 3);
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    await queue.whenEmpty();
    expect(server.stored).toEqual(given.map(aResponse));
    expect(server.most).toBe(1);
    expect(await inTime(store.waiting())).toEqual([]);
  });

  test("is asked after for as long as it lasts, three to nine times a minute", async () => {
    const begin = Date.now();
    const server = new UnreachableServer(begin + 180 * MINUTE);
    const queue = await inTime(AnswerQueue.open({ store: await openStore(), send: server.send }));
    await inTime(queue.add(aResponse(0)));
    await vi.advanceTimersByTimeAsync(181 * MINUTE);
    await queue.whenEmpty();
    const perMinute = numbers(179).map(
      (minute) =>
        server.attemptedAt.filter((at) => at >= begin + (minute + 1) * MINUTE && at < begin + (minute + 2) * MINUTE)
          .length,
    );
    expect(Math.min(...perMinute)).toBeGreaterThanOrEqual(3);
    expect(Math.max(...perMinute)).toBeLessThanOrEqual(9);
  });

  test.each([
    ["from the beginning", () => vi.spyOn(indexedDB, "open").mockReturnValue(noAnswer() as IDBOpenDBRequest)],
    ["amid a session", () => vi.spyOn(IDBObjectStore.prototype, "put").mockReturnValue(noAnswer())],
  ])("of the browser's own database is not waited for (%s)", async (_, begin) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    begin();
    const server = new UnreachableServer(0);
    const store = await openStore();
    const queue = await inTime(AnswerQueue.open({ store, send: server.send }));
    await inTime(queue.add(aResponse(0)));
    await inTime(queue.whenEmpty());
    expect(server.stored).toEqual([aResponse(0)]);
    expect(warn).toHaveBeenCalled();
  });

  /** A request to the database that neither succeeds nor fails. */
  const noAnswer = (): IDBRequest => Object.assign(Object.create(IDBRequest.prototype), { addEventListener: () => {} });

  /** Advance the fake clock until the promise settles. */
  async function inTime<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const note = () => {
      isOver = true;
    };
    promise.then(note, note);
    while (!isOver) {
      await vi.advanceTimersByTimeAsync(10);
    }
    return promise;
  }

  const openStore = () => inTime(openAnswerStore(newSession()));
});

test("sessions on one machine do not see each other's answers", async () => {
  const session = newSession();
  const others = [newSession(), `${session}0`, session.slice(1)];
  await (await openAnswerStore(session)).put(aResponse(0));
  for (const other of others) {
    expect(await (await openAnswerStore(other)).waiting()).toEqual([]);
  }
  expect(await (await openAnswerStore(session)).waiting()).toEqual([aResponse(0)]);
});
