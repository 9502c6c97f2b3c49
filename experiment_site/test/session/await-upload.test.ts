// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Response as Answer } from "../../src/contract";
import { AnswerQueue } from "../../src/session/answer-queue";
import { SessionApi } from "../../src/session/api";
import { passesScreening } from "../../src/session/await-upload";
import { aResponse } from "../fixtures";

type Reply = { readonly status: number; readonly body: unknown };

const passed = { status: 200, body: { passed: true } };
const view = document.createElement("main");
const isSending = () => view.querySelector('[data-testid="sending"]') !== null;

beforeEach(() => {
  vi.useFakeTimers();
  view.replaceChildren();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A server that stores answers while it is up, and replies to each screening in turn; `calls` notes both. */
async function aSession(replies: readonly Reply[]) {
  const calls: string[] = [];
  const line = { isUp: true };
  const left = [...replies];
  vi.stubGlobal("fetch", async (url: string, { headers }: { headers: Record<string, string> }) => {
    const reply = left.shift() ?? expect.fail("one call too many");
    calls.push(`${url} ${headers.Authorization}`);
    return { ok: reply.status < 300, status: reply.status, json: async () => reply.body };
  });
  const send = async (answers: readonly Answer[]) => {
    if (!line.isUp) {
      throw new Error("offline");
    }
    const stored = answers.map((answer) => answer.index);
    calls.push(`stored ${stored}`);
    return { stored, next_trial: 0 };
  };
  const store = { waiting: async () => [], put: async () => {}, remove: async () => {} };
  const queue = await AnswerQueue.open({ store, send });
  return { queue, calls, line, screen: () => passesScreening(view, new SessionApi("t"), queue) };
}

const asked = "api/screening Bearer t";

test.each([true, false])("the server decides once it has every answer (%s)", async (decision) => {
  const { queue, calls, screen } = await aSession([{ status: 200, body: { passed: decision } }]);
  void queue.add(aResponse(0));
  expect(await screen()).toBe(decision);
  expect(calls).toEqual(["stored 0", asked]);
});

test("the screening waits for unsent answers, and after a moment the page says so", async () => {
  const { queue, calls, line, screen } = await aSession([passed]);
  line.isUp = false;
  void queue.add(aResponse(0));
  const screening = screen();
  await vi.advanceTimersByTimeAsync(900);
  expect(isSending()).toBe(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(isSending()).toBe(true);
  expect(calls).toEqual([]);
  line.isUp = true;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await screening).toBe(true);
  expect(calls).toEqual(["stored 0", asked]);
});

test("a quick screening shows nothing", async () => {
  const { screen } = await aSession([passed]);
  await screen();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(isSending()).toBe(false);
});

test("the screening is retried while the server is down", async () => {
  const down = { status: 503, body: null };
  const { calls, screen } = await aSession([down, down, passed]);
  const screening = screen();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await screening).toBe(true);
  expect(calls).toEqual([asked, asked, asked]);
});

test("a missing answer is sent again before the screening is retried", async () => {
  const { queue, calls, screen } = await aSession([
    { status: 409, body: { error: "too early", missing: [3] } },
    passed,
  ]);
  await queue.add(aResponse(3));
  expect(await screen()).toBe(true);
  expect(calls).toEqual(["stored 3", asked, "stored 3", asked]);
});

test.each([
  ["an answer is missing for good", { status: 409, body: { error: "too early", missing: [3] } }],
  ["the session was opened elsewhere", { status: 401, body: { error: "opened in another window" } }],
])("it fails when %s", async (_, reply) => {
  const { screen } = await aSession([reply]);
  await expect(screen()).rejects.toMatchObject({ status: reply.status });
});

test("the page stops showing the upload once the screening is over", async () => {
  const { queue, line, screen } = await aSession([passed]);
  line.isUp = false;
  void queue.add(aResponse(0));
  const screening = screen();
  await vi.advanceTimersByTimeAsync(2_000);
  line.isUp = true;
  await vi.advanceTimersByTimeAsync(60_000);
  await screening;
  const text = view.textContent;
  line.isUp = false;
  void queue.add(aResponse(1));
  void queue.add(aResponse(2));
  await vi.advanceTimersByTimeAsync(100);
  expect(view.textContent).toBe(text);
});

test("unsent answers are sent at once when the server is to decide", async () => {
  const { queue, calls, line, screen } = await aSession([passed]);
  line.isUp = false;
  void queue.add(aResponse(0));
  await vi.advanceTimersByTimeAsync(60_000);
  line.isUp = true;
  const screening = screen();
  await vi.advanceTimersByTimeAsync(10);
  expect(await screening).toBe(true);
  expect(calls).toEqual(["stored 0", asked]);
});
