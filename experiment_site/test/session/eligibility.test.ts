// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PageSettings } from "../../src/contract";
import { isEligible } from "../../src/session/eligibility";
import { SessionMemory } from "../../src/session/session-memory";

const view = document.createElement("main");

beforeEach(() => {
  document.body.replaceChildren(view);
  view.replaceChildren();
  localStorage.clear();
  Object.assign(window, { innerWidth: 1000, innerHeight: 800 });
});

afterEach(() => {
  vi.restoreAllMocks();
});

function come({ consent = "<p>Please read</p>", ...page }: Partial<PageSettings> & { consent?: string | null } = {}) {
  const memory = new SessionMemory("s", {
    platform: "inperson",
    assignment_id: "a",
    worker_id: null,
    study_id: null,
    trialset_id: null,
  });
  const study = {
    study_id: "s",
    title: "Study",
    pages: { consent, task: null, test: null, done: null, screened_out: null },
    screening_block: null,
    page: {
      desktop_only: true,
      min_window_px: 600,
      calibrate_screen: false,
      full_screen: false,
      ask_email: false,
      ...page,
    },
  };
  return isEligible(view, study, memory);
}

const find = (testId: string) =>
  vi.waitFor(() => view.querySelector<HTMLElement>(`[data-testid="${testId}"]`) ?? expect.fail());

test("who agrees comes in, and is not asked again after a reload", async () => {
  const coming = come();
  (await find("consent-agree")).click();
  expect(await coming).toBe(true);
  expect(await come()).toBe(true);
});

test("where the study has no page of consent, nothing is asked", async () => {
  expect(await come({ consent: null })).toBe(true);
});

test("a phone does not come in, unless the study takes phones", async () => {
  vi.spyOn(navigator, "userAgent", "get").mockReturnValue("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)");
  expect(await come()).toBe(false);
  await find("computer-needed");
  expect(await come({ desktop_only: false, consent: null })).toBe(true);
});

test("a small window is asked to grow before anything else", async () => {
  Object.assign(window, { innerWidth: 500 });
  const coming = come();
  const go = await find("window-continue");
  Object.assign(window, { innerWidth: 700 });
  window.dispatchEvent(new Event("resize"));
  go.click();
  (await find("consent-agree")).click();
  expect(await coming).toBe(true);
});

test("a tab beside another one of the same session does not come in", async () => {
  const heldElsewhere = (_: string, { signal }: LockOptions) =>
    new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const locks = { request: heldElsewhere } as unknown as LockManager;
  vi.spyOn(navigator, "locks", "get").mockReturnValue(locks);
  expect(await come()).toBe(false);
  await find("error");
  expect(view.querySelector('[data-testid="consent-agree"]')).toBeNull();
});
