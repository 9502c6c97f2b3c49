// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SessionMemory } from "../../src/session/session-memory";

const scale = { px_per_degree: 38.5, viewing_distance_mm: 570 };
const memory = (assignment_id = "a", studyId = "s") => {
  const request = { platform: "inperson", assignment_id, worker_id: null, study_id: null, trialset_id: null };
  return new SessionMemory(studyId, request);
};

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test("consent and scale are remembered on the next visit", () => {
  expect(memory().hasConsented).toBe(false);
  expect(memory().scale).toBeNull();
  memory().saveConsent();
  memory().saveScale(scale);
  expect(memory().hasConsented).toBe(true);
  expect(memory().scale).toEqual(scale);
});

test("another participant on the same machine, or another study, is asked again", () => {
  memory().saveConsent();
  memory().saveScale(scale);
  for (const other of [memory("b"), memory("a", "another")]) {
    expect(other.hasConsented).toBe(false);
    expect(other.scale).toBeNull();
  }
});

test("a new tab knows the consent but not the scale", () => {
  memory().saveConsent();
  memory().saveScale(scale);
  sessionStorage.clear();
  expect(memory().hasConsented).toBe(true);
  expect(memory().scale).toBeNull();
});

test("a scale does not hold at another zoom", () => {
  memory().saveScale(scale);
  vi.stubGlobal("devicePixelRatio", 1.25);
  expect(memory().scale).toBeNull();
});

test("a browser without storage asks again and does not fail", () => {
  const forbidden = () => {
    throw new DOMException("storage is switched off", "SecurityError");
  };
  for (const storage of ["localStorage", "sessionStorage"]) {
    vi.stubGlobal(storage, { getItem: forbidden, setItem: forbidden });
  }
  memory().saveConsent();
  memory().saveScale(scale);
  expect(memory().hasConsented).toBe(false);
  expect(memory().scale).toBeNull();
});

test("the same session id on another platform is another session", () => {
  memory().saveConsent();
  const request = { platform: "prolific", assignment_id: "a", worker_id: null, study_id: null, trialset_id: null };
  expect(new SessionMemory("s", request).hasConsented).toBe(false);
});
