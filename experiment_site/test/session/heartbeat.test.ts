import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RequestFailed } from "../../src/session/api";
import { Heartbeat } from "../../src/session/heartbeat";

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("the server hears once a minute from a participant who does not answer", async () => {
  const beat = vi.fn(async () => ({}));
  new Heartbeat(beat);
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  expect(beat).toHaveBeenCalledTimes(10);
});

test("an answer that was stored saves the next call, and only that one", async () => {
  const beat = vi.fn(async () => ({}));
  const heartbeat = new Heartbeat(beat);
  for (let minute = 0; minute < 5; minute += 1) {
    heartbeat.skipNext();
    await vi.advanceTimersByTimeAsync(MINUTE);
  }
  expect(beat).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(beat).toHaveBeenCalledTimes(1);
});

test("a session that was opened elsewhere is known at once, and the calls end", async () => {
  const failure = new RequestFailed(401, "opened in another window");
  const beat = vi.fn(() => Promise.reject(failure));
  const heartbeat = new Heartbeat(beat);
  const lost = expect(heartbeat.lost).rejects.toBe(failure);
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  await lost;
  expect(beat).toHaveBeenCalledTimes(1);
});

test.each([null, 400, 404, 429, 500, 503])("failure %s is let pass", async (status) => {
  const beat = vi.fn(() => Promise.reject(new RequestFailed(status, "not now")));
  const heartbeat = new Heartbeat(beat);
  const lost = vi.fn();
  heartbeat.lost.catch(lost);
  await vi.advanceTimersByTimeAsync(3 * MINUTE);
  expect(beat).toHaveBeenCalledTimes(3);
  expect(lost).not.toHaveBeenCalled();
});

test("nothing is sent once the session has ended", async () => {
  const beat = vi.fn(async () => ({}));
  new Heartbeat(beat).stop();
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  expect(beat).not.toHaveBeenCalled();
});
