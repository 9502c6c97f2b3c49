// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Poller } from "../../src/researcher/poller";

let isHidden = false;
const heard: string[] = [];
const answers: (() => Promise<string>)[] = [];
let live: Poller<string>;

const settle = () => vi.advanceTimersByTimeAsync(0);

function hide(hidden: boolean): void {
  isHidden = hidden;
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(document, "hidden", "get").mockImplementation(() => isHidden);
  isHidden = false;
  heard.length = 0;
  answers.length = 0;
  let asked = 0;
  live = new Poller(
    async () => {
      const answer = answers.shift();
      if (answer !== undefined) {
        return answer();
      }
      asked += 1;
      return `news ${asked}`;
    },
    { onResult: (news) => heard.push(news), onFailure: (error) => heard.push(String(error)) },
    3_000,
  );
});

afterEach(() => {
  live.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("it asks at once and then at intervals", async () => {
  await live.now();
  expect(heard).toEqual(["news 1"]);
  await vi.advanceTimersByTimeAsync(2_999);
  expect(heard).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(heard).toEqual(["news 1", "news 2", "news 3"]);
});

test("a failure is reported and polling continues", async () => {
  answers.push(() => Promise.reject(new Error("away")));
  await live.now();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(heard).toEqual(["Error: away", "news 1"]);
});

test("it does not ask while nobody looks, and at once when somebody does", async () => {
  await live.now();
  hide(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(heard).toHaveLength(1);
  hide(false);
  await settle();
  expect(heard).toHaveLength(2);
});

test("it never asks twice at a time; what changed meanwhile is asked for afterwards", async () => {
  let answer = (_: string) => {};
  answers.push(() => new Promise((resolve) => (answer = resolve)));
  void live.now();
  void live.now();
  void live.now();
  await settle();
  expect(heard).toEqual([]);
  answer("old");
  await settle();
  expect(heard).toEqual(["old", "news 1"]);
});

test("after its end it neither asks nor tells", async () => {
  let answer = (_: string) => {};
  answers.push(() => new Promise((resolve) => (answer = resolve)));
  void live.now();
  live.stop();
  answer("too late");
  hide(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(heard).toEqual([]);
});
