import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RequestRejected, ResearcherApi, Unauthorized } from "../../src/researcher/api";
import { session } from "./fixtures";

const fetched = vi.fn<typeof fetch>();
const api = new ResearcherApi("secret");

const answer = (status: number, content: unknown) =>
  fetched.mockImplementation(async () => Response.json(content, { status }));

beforeEach(() => {
  vi.stubGlobal("fetch", fetched);
  fetched.mockReset();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test("every call carries the token in a header, never in the address", async () => {
  answer(200, { released: true });
  await api.overview();
  await api.release(session("p1"), "returned");
  await api.data();
  for (const [url, request] of fetched.mock.calls) {
    expect(url).not.toContain("secret");
    expect(new Headers(request?.headers).get("Authorization")).toBe("Bearer secret");
  }
});

test("a release names the session as the platform does", async () => {
  answer(200, { released: false });
  expect(await api.release(session("p1"), "timed_out")).toBe(false);
  const [url, request] = fetched.mock.calls[0] ?? [];
  expect(url).toBe("api/researcher/release");
  expect(JSON.parse(String(request?.body))).toEqual({
    platform: "prolific",
    assignment_id: "Session-of-p1",
    reason: "timed_out",
  });
});

test("an unknown token is distinct from all other failures", async () => {
  answer(401, { error: "this is not the researcher's token" });
  await expect(api.overview()).rejects.toThrow(Unauthorized);
  answer(500, { error: "install it with: pip" });
  await expect(api.data()).rejects.toThrow(new RequestRejected("install it with: pip"));
  fetched.mockResolvedValue(new Response("<html>", { status: 502 }));
  await expect(api.overview()).rejects.toThrow(new RequestRejected("the server answered 502"));
});
