import { afterEach, describe, expect, test, vi } from "vitest";
import { fetchStudy, isTransient, RequestFailed, SessionApi, startSession } from "../../src/session/api";
import { aResponse } from "../fixtures";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Answer every request with this status and body; returns the requests. */
function answerWith(status: number, body: unknown = {}): { url: string; request: RequestInit }[] {
  const calls: { url: string; request: RequestInit }[] = [];
  vi.stubGlobal("fetch", async (url: string, request: RequestInit) => {
    calls.push({ url, request });
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  });
  return calls;
}

const failureOf = (request: Promise<unknown>): Promise<RequestFailed> =>
  request.then(
    () => expect.fail("the request succeeded"),
    (error) => error,
  );

const api = new SessionApi("the-token");

describe("a failed request", () => {
  test.each([408, 429, 500, 502, 503, 599])("may succeed later after status %i", async (status) => {
    answerWith(status);
    expect(isTransient(await failureOf(api.finish()))).toBe(true);
  });

  test.each([400, 401, 403, 404, 409, 410, 413, 422, 499])("never succeeds after status %i", async (status) => {
    answerWith(status);
    const failure = await failureOf(api.sendTrials([aResponse(0)]));
    expect([failure.status, isTransient(failure)]).toEqual([status, false]);
  });

  test("may succeed later if there was no response, or only part of one", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    expect(isTransient(await failureOf(fetchStudy()))).toBe(true);
    answerWith(200, '{"title": "Mo');
    const failure = await failureOf(fetchStudy());
    expect([failure.status, isTransient(failure)]).toEqual([null, true]);
  });

  test("carries the server's message and the missing trials", async () => {
    answerWith(409, { error: "2 answers are missing", missing: [3, 5, "7", 1.5] });
    const failure = await failureOf(api.finish());
    expect([failure.message, failure.missing]).toEqual(["2 answers are missing", [3, 5]]);
  });

  test("has a default message if the response is not JSON", async () => {
    answerWith(502, "<h1>Bad gateway</h1>");
    const failure = await failureOf(api.finish());
    expect([failure.status, failure.message, failure.missing]).toEqual([502, "the server answered 502", []]);
  });

  test("is distinct from other errors", () => {
    expect(isTransient(new Error("a fault of the page"))).toBe(false);
    expect(isTransient(new RequestFailed(503, "down"))).toBe(true);
  });
});

describe("a request", () => {
  test("of a session carries its token", async () => {
    const calls = answerWith(200);
    await api.sendTrials([aResponse(0)]);
    await api.screening();
    await api.finish();
    await api.heartbeat();
    await api.reportProblem({ kind: "page_error", message: "broken", trial_index: null });
    await api.submitEmail("me@example.org");
    expect(calls.map(({ url }) => url)).toEqual([
      "api/trials",
      "api/screening",
      "api/finish",
      "api/heartbeat",
      "api/problems",
      "api/contact",
    ]);
    for (const { request } of calls) {
      expect(request.method).toBe("POST");
      expect(request.headers).toEqual({ "Content-Type": "application/json", Authorization: "Bearer the-token" });
    }
  });

  test("outlives the page only if it should", async () => {
    const calls = answerWith(200);
    await api.sendTrials([aResponse(0)]);
    await api.sendTrials([aResponse(0)], true);
    expect(calls.map(({ request }) => request.keepalive)).toEqual([false, true]);
  });

  test("before the session has no token", async () => {
    const calls = answerWith(200);
    const ids = { platform: "test", assignment_id: "a", worker_id: null, study_id: null, trialset_id: null };
    await startSession(ids);
    expect(calls[0]?.request.headers).toEqual({ "Content-Type": "application/json" });
    expect(JSON.parse(String(calls[0]?.request.body))).toEqual(ids);
  });

  test("is given up when the server does not respond", async () => {
    const timeout = vi.spyOn(AbortSignal, "timeout");
    const calls = answerWith(200);
    await fetchStudy();
    expect(timeout).toHaveBeenCalledWith(20_000);
    expect(calls[0]?.request.signal).toBe(timeout.mock.results[0]?.value);
    timeout.mockRestore();
  });
});
