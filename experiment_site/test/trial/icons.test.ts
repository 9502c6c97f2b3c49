// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type IconSource, Icons } from "../../src/trial/icons";

/** A network in memory in which some icons fail a given number of times. */
function aSource(failures: Readonly<Record<string, number>> = {}) {
  const attempts = new Map<string, number>();
  const decoded: string[] = [];
  const source: IconSource = {
    load: async (url) => {
      const attempt = (attempts.get(url) ?? 0) + 1;
      attempts.set(url, attempt);
      if (attempt <= (failures[url] ?? 0)) {
        throw new Error(`${url} is not to be had`);
      }
      const icon = document.createElement("img");
      icon.decode = async () => {
        decoded.push(url);
      };
      return icon;
    },
    wait: () => Promise.resolve(),
  };
  return { source, attempts, decoded };
}

beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

test("images are loaded once, and decoded again before each trial that shows them", async () => {
  const { source, attempts, decoded } = aSource();
  const icons = new Icons(["a.png", "b.png"], source);
  await icons.load();
  const first = await icons.ready(["a.png", "b.png"]);
  const second = await icons.ready(["b.png"]);
  expect([...first.keys()]).toEqual(["a.png", "b.png"]);
  expect(second.get("b.png")).toBe(first.get("b.png"));
  expect(decoded).toEqual(["a.png", "b.png", "b.png"]);
  expect([...attempts.values()]).toEqual([1, 1]);
});

test("an image that fails for a while is loaded again", async () => {
  const { source } = aSource({ "a.png": 2 });
  const icons = new Icons(["a.png"], source);
  await icons.load();
  expect((await icons.ready(["a.png"])).size).toBe(1);
  expect(console.warn).not.toHaveBeenCalled();
});

test("if one icon cannot be loaded none is shown, and the failure is reported", async () => {
  const { source, attempts } = aSource({ "a.png": 99 });
  const icons = new Icons(["a.png", "b.png"], source);
  const progress: string[] = [];
  const missing: string[] = [];
  icons.onProgress = (done, total) => progress.push(`${done} of ${total}`);
  icons.onMissing = (message) => missing.push(message);
  await icons.load();
  expect((await icons.ready(["a.png", "b.png"])).size).toBe(0);
  expect((await icons.ready(["b.png"])).size).toBe(0);
  expect(progress).toEqual(["1 of 2", "2 of 2"]);
  expect(icons.progress).toEqual({ done: 2, total: 2 });
  expect(attempts.get("a.png")).toBe(3);
  expect(console.warn).toHaveBeenCalledTimes(1);
  expect(missing).toEqual(["a.png is not to be had"]);
});

test("an image that was given up never comes back", async () => {
  const { source, attempts } = aSource({ "a.png": 3 });
  const icons = new Icons(["a.png"], source);
  await icons.load();
  for (let trial = 0; trial < 5; trial += 1) {
    expect((await icons.ready(["a.png"])).size).toBe(0);
  }
  expect(attempts.get("a.png")).toBe(3);
});

test("an image that was loaded is shown although the browser cannot decode it in advance", async () => {
  const { source } = aSource();
  const icons = new Icons(["a.png"], source);
  await icons.load();
  const [icon] = (await icons.ready(["a.png"])).values();
  Object.assign(icon ?? {}, { decode: () => Promise.reject(new Error("short of memory")) });
  expect((await icons.ready(["a.png"])).get("a.png")).toBe(icon);
});

test("a server that never answers is given up as well", async () => {
  vi.useFakeTimers();
  const icons = new Icons(["https://bucket.example/Leda_icon.png"]);
  let isOver = false;
  void icons.load().then(() => {
    isOver = true;
  });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(isOver).toBe(true);
  expect((await icons.ready(["https://bucket.example/Leda_icon.png"])).size).toBe(0);
  vi.useRealTimers();
});
