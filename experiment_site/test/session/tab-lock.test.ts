import { expect, test } from "vitest";
import { isOnlyTab } from "../../src/session/tab-lock";

/** The locks of one browser: one holder per name, the others wait in line until their signal aborts. */
function browserLocks(): LockManager & { closeFirst(name: string): void } {
  const lines = new Map<string, (() => void)[]>();
  return {
    request: (name: string, { signal }: LockOptions, callback: () => Promise<unknown>) =>
      new Promise((_, reject) => {
        const line = lines.get(name) ?? [];
        lines.set(name, line);
        line.push(() => void callback());
        if (line.length === 1) {
          line[0]?.();
        }
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
    closeFirst(name: string) {
      const line = lines.get(name) ?? [];
      line.shift();
      line[0]?.();
    },
  } as unknown as ReturnType<typeof browserLocks>;
}

test("the first tab of a session gets the lock, the second does not", async () => {
  const locks = browserLocks();
  expect(await isOnlyTab("s", locks)).toBe(true);
  expect(await isOnlyTab("s", locks, AbortSignal.timeout(1))).toBe(false);
});

test("sessions have separate locks", async () => {
  const locks = browserLocks();
  expect(await isOnlyTab("s", locks)).toBe(true);
  expect(await isOnlyTab("t", locks)).toBe(true);
});

test("a reloaded page waits until its old self releases the lock", async () => {
  const locks = browserLocks();
  await isOnlyTab("s", locks);
  const reloaded = isOnlyTab("s", locks, new AbortController().signal);
  locks.closeFirst("lwise s");
  expect(await reloaded).toBe(true);
});

test("without locks in the browser every tab may continue", async () => {
  expect(await isOnlyTab("s", null)).toBe(true);
  const forbidden = { request: () => Promise.reject(new DOMException("no storage", "SecurityError")) };
  expect(await isOnlyTab("s", forbidden as unknown as LockManager)).toBe(true);
});

test("a tab holds the lock until it is closed", async () => {
  let isReleased = false;
  const locks = {
    request: async (_: string, __: LockOptions, callback: () => Promise<unknown>) => {
      await callback();
      isReleased = true;
    },
  };
  expect(await isOnlyTab("s", locks as unknown as LockManager)).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(isReleased).toBe(false);
});
