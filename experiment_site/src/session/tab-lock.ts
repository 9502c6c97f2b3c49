// One tab per session: two tabs would show the same trials twice.

/** Longer than a reloading page holds its lock. */
const TIMEOUT_MSEC = 1_500;

/**
 * Whether no other tab of this browser has the session open. This tab then holds the lock until it closes or leaves the
 * page. Where the browser has no locks (plain http, storage disabled) the result is true for every tab, and the server
 * accepts answers only from the last one.
 */
export function isOnlyTab(
  sessionKey: string,
  locks: LockManager | null = navigator.locks ?? null,
  timeout: AbortSignal = AbortSignal.timeout(TIMEOUT_MSEC),
): Promise<boolean> {
  if (locks === null) {
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    const holdLock = () => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    locks.request(`lwise ${sessionKey}`, { signal: timeout }, holdLock).catch(() => resolve(!timeout.aborted));
  });
}
