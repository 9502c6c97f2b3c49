import "fake-indexeddb/auto";
import { describe, expect, test, vi } from "vitest";
import { AnswerQueue } from "../src/answer-queue";
import { openAnswerStore } from "../src/answer-store";
import { RequestFailed } from "../src/api";
import type { Response, Stored } from "../src/contract";
import { aResponse } from "./fixtures";

let sessions = 0;
const newSession = () => ({ study_id: "moths", trialset_id: 0, platform: "test", assignment_id: `${sessions++}` });

/** A server that stores answers, or fails as it is told to. */
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
  test("brings answers to the server in order and then forgets them", async () => {
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

  test("keeps an answer before it sends it", async () => {
    const store = await openAnswerStore(newSession());
    const keptWhenSent: number[] = [];
    const send = async (responses: readonly Response[]) => {
      keptWhenSent.push((await store.waiting()).length);
      return { stored: responses.map((response) => response.index), next_trial: 0 };
    };
    const queue = await AnswerQueue.open({ store, send, ...inNoTime });
    await queue.add(aResponse(0));
    await queue.whenEmpty();
    expect(keptWhenSent).toEqual([1]);
  });

  test("loses nothing while the server is down, and sends small batches after", async () => {
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

  test("goes on after a reload with what was not sent", async () => {
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

  test("waits longer after each failure, and not at all once told to hurry", async () => {
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
    queue.hurry();
    await queue.whenEmpty();
    expect(server.stored.size).toBe(1);
  });

  test("keeps what the server did not name as stored", async () => {
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

  test("sends everything at once when the page is left", async () => {
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

  test("sends again what the server misses, if it has seen it", async () => {
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

  test("works on when the browser can keep nothing", async () => {
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
});

test("sessions on one machine do not see each other's answers", async () => {
  const session = newSession();
  const others = [
    { ...session, assignment_id: `${session.assignment_id}0` },
    { ...session, study_id: "lesions" },
    { ...session, trialset_id: 1 },
    { ...session, platform: "prolific" },
  ];
  await (await openAnswerStore(session)).put(aResponse(0));
  for (const other of others) {
    expect(await (await openAnswerStore(other)).waiting()).toEqual([]);
  }
  expect(await (await openAnswerStore(session)).waiting()).toEqual([aResponse(0)]);
});
