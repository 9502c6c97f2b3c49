// @vitest-environment happy-dom
import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Connection, openConnection } from "../../src/session/connection";
import { aResponse } from "../fixtures";

const MINUTE = 60_000;

/** What the page asked of the server, in order. */
const calls: { readonly path: string; readonly keepalive: boolean; readonly body: Record<string, unknown> }[] = [];
/** Answers with this status; null: not at all. */
let status: number | null = 200;
let connection: Connection;

beforeEach(async () => {
  calls.length = 0;
  status = 200;
  vi.useFakeTimers();
  vi.stubGlobal("fetch", async (path: string, request: { body: string; keepalive: boolean }) => {
    const body = JSON.parse(request.body);
    calls.push({ path, keepalive: request.keepalive, body });
    if (status === null) {
      throw new TypeError("Failed to fetch");
    }
    const stored = (body.trials ?? []).map(({ index }: { index: number }) => index);
    return { ok: status < 300, status, json: async () => ({ stored, next_trial: 0 }) };
  });
  const ids = { platform: "prolific", assignment_id: "session 17", worker_id: "person 9", study_id: null };
  const session = { token: "the-token", participant: `p${Math.random()}` };
  const opening = openConnection(session, { ...ids, trialset_id: null });
  await vi.advanceTimersByTimeAsync(100);
  connection = await opening;
});

afterEach(async () => {
  connection.close();
  // The window keeps its listeners: nothing of this test may be left for the next.
  status = 200;
  await vi.advanceTimersByTimeAsync(MINUTE);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const paths = () => calls.map(({ path }) => path);

async function answer(index: number): Promise<void> {
  void connection.queue.add(aResponse(index));
  await vi.advanceTimersByTimeAsync(100);
}

test("an answer is a sign of life; without one the server hears once a minute that the participant is there", async () => {
  await answer(0);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(paths()).toEqual(["api/trials"]);
  await vi.advanceTimersByTimeAsync(2 * MINUTE);
  expect(paths()).toEqual(["api/trials", "api/heartbeat", "api/heartbeat"]);
});

test("an answer that did not arrive is no sign of life", async () => {
  status = null;
  await answer(0);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(paths()).toContain("api/heartbeat");
});

test("a closed connection sends no more heartbeats", async () => {
  connection.close();
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  expect(calls).toEqual([]);
});

test.each([
  ["a heartbeat", async () => {}],
  ["an answer", () => answer(0)],
])("%s reveals that the session continues elsewhere", async (_, act) => {
  status = 401;
  const refused = expect(connection.refused).rejects.toMatchObject({ status: 401 });
  await act();
  await vi.advanceTimersByTimeAsync(MINUTE);
  await refused;
});

describe("while the server cannot be reached", () => {
  beforeEach(async () => {
    status = null;
    await answer(0);
    calls.length = 0;
    status = 200;
  });

  test("an answer is sent as soon as the line is back", async () => {
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toMatchObject([{ path: "api/trials", keepalive: false }]);
  });

  test("it is sent by a request that outlives the page when the page is left", async () => {
    window.dispatchEvent(new Event("pagehide"));
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toMatchObject([{ path: "api/trials", keepalive: true }]);
  });

  test("and when the page is hidden, after which nothing may come any more", async () => {
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toMatchObject([{ path: "api/trials", keepalive: true }]);
    vi.restoreAllMocks();
  });
});

test("errors of the page are reported without the session's ids", async () => {
  window.dispatchEvent(new ErrorEvent("error", { message: "the-token of session 17, person 9" }));
  await vi.advanceTimersByTimeAsync(0);
  expect(calls.at(-1)).toMatchObject({ path: "api/problems", body: { kind: "page_error", message: "… of …, …" } });
});

test("unsent answers belong to a session, not to the link that opened it", async () => {
  status = null;
  await answer(0);
  const ids = { platform: "prolific", assignment_id: "session 17", worker_id: "person 9", study_id: null };
  const opening = openConnection({ token: "another", participant: `p${Math.random()}` }, { ...ids, trialset_id: null });
  await vi.advanceTimersByTimeAsync(100);
  const restarted = await opening;
  expect([...restarted.queue.waiting]).toEqual([]);
  restarted.close();
});
