// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { takeToken } from "../../src/researcher/token";

beforeEach(() => {
  sessionStorage.clear();
  window.history.replaceState(null, "", "/researcher");
});

test("without a token there is none", () => {
  expect(takeToken()).toBeNull();
});

test("the token of the link is kept for this tab and vanishes from the address", () => {
  window.history.replaceState(null, "", "/researcher#secret");
  expect(takeToken()).toBe("secret");
  expect(window.location.href).not.toContain("secret");
  expect(takeToken()).toBe("secret");
});

test("a newer link wins", () => {
  window.history.replaceState(null, "", "/researcher#old");
  takeToken();
  window.history.replaceState(null, "", "/researcher#new");
  expect(takeToken()).toBe("new");
});
