import { expect, test } from "vitest";
import { backOffMsec, persistently } from "../../src/session/back-off";

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
  expect(await persistently(flaky, { mayPass: () => true, ...inNoTime })).toBe("done");
  expect(attempts).toBe(4);
});

test("a failure that will not pass, or one too many, is final", async () => {
  let attempts = 0;
  const fail = async () => {
    attempts += 1;
    throw new Error(`attempt ${attempts}`);
  };
  await expect(persistently(fail, { mayPass: () => false, ...inNoTime })).rejects.toThrow("attempt 1");
  attempts = 0;
  await expect(persistently(fail, { mayPass: () => true, attempts: 3, ...inNoTime })).rejects.toThrow("attempt 3");
});
