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

test("what is noted is there at the next opening", () => {
  expect(memory().hasConsented).toBe(false);
  expect(memory().scale).toBeNull();
  memory().noteConsent();
  memory().noteScale(scale);
  expect(memory().hasConsented).toBe(true);
  expect(memory().scale).toEqual(scale);
});

test("the next participant on the same machine is asked again, and so is who takes part in another study", () => {
  memory().noteConsent();
  memory().noteScale(scale);
  for (const other of [memory("b"), memory("a", "another")]) {
    expect(other.hasConsented).toBe(false);
    expect(other.scale).toBeNull();
  }
});

test("a tab that is opened later knows of the consent, not of the scale", () => {
  memory().noteConsent();
  memory().noteScale(scale);
  sessionStorage.clear();
  expect(memory().hasConsented).toBe(true);
  expect(memory().scale).toBeNull();
});

test("a scale does not hold at another zoom", () => {
  memory().noteScale(scale);
  vi.stubGlobal("devicePixelRatio", 1.25);
  expect(memory().scale).toBeNull();
});

test("a browser that keeps nothing is asked again, not broken", () => {
  const forbidden = () => {
    throw new DOMException("storage is switched off", "SecurityError");
  };
  for (const storage of ["localStorage", "sessionStorage"]) {
    vi.stubGlobal(storage, { getItem: forbidden, setItem: forbidden });
  }
  memory().noteConsent();
  memory().noteScale(scale);
  expect(memory().hasConsented).toBe(false);
  expect(memory().scale).toBeNull();
});

test("the same session id on another platform is another session", () => {
  memory().noteConsent();
  const request = { platform: "prolific", assignment_id: "a", worker_id: null, study_id: null, trialset_id: null };
  expect(new SessionMemory("s", request).hasConsented).toBe(false);
});
