import { expect, test } from "vitest";
import { backOffMsec, retry } from "../../src/session/back-off";

const inNoTime = { wait: () => Promise.resolve() };

test("waits double up to a limit, and half of each is left to chance", () => {
  expect([1, 2, 3, 10, 100].map((failures) => backOffMsec(failures, 1))).toEqual([500, 1_000, 2_000, 15_000, 15_000]);
  expect(backOffMsec(2, 0)).toBe(500);
});

test("an attempt is repeated until it succeeds", async () => {
  let attempts = 0;
  const flaky = async () => {
    attempts += 1;
    if (attempts < 4) {
      throw new Error("not yet");
    }
    return "done";
  };
  expect(await retry(flaky, { isTransient: () => true, ...inNoTime })).toBe("done");
  expect(attempts).toBe(4);
});

test("a failure that will not pass, or one too many, is final", async () => {
  let attempts = 0;
  const fail = async () => {
    attempts += 1;
    throw new Error(`attempt ${attempts}`);
  };
  await expect(retry(fail, { isTransient: () => false, ...inNoTime })).rejects.toThrow("attempt 1");
  attempts = 0;
  await expect(retry(fail, { isTransient: () => true, attempts: 3, ...inNoTime })).rejects.toThrow("attempt 3");
});

test("each failure is reported, except the last one, which is thrown", async () => {
  const reported: unknown[] = [];
  let calls = 0;
  const attempt = () => {
    calls += 1;
    return Promise.reject(new Error(`failure ${calls}`));
  };
  const options = {
    isTransient: () => true,
    attempts: 3,
    onFailure: (error: unknown) => reported.push((error as Error).message),
    wait: async () => {},
  };
  await expect(retry(attempt, options)).rejects.toThrow("failure 3");
  expect(reported).toEqual(["failure 1", "failure 2"]);
});
