// One tab per session: two tabs would show the same trials twice. Knows nothing of sessions but their key.

/** Longer than a page that is being reloaded keeps its lock. */
const PATIENCE_MSEC = 1_500;

/**
 * Whether this tab may go on with the session: no other tab of this browser has it. The tab then has it until it is
 * closed or leaves the page. Where the browser has no locks (plain http, storage switched off) every tab may; the server
 * then lets only the last one send.
 */
export function isOnlyTab(
  sessionKey: string,
  locks: LockManager | null = navigator.locks ?? null,
  patience: AbortSignal = AbortSignal.timeout(PATIENCE_MSEC),
): Promise<boolean> {
  if (locks === null) {
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    const forEver = () => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    locks.request(`lwise ${sessionKey}`, { signal: patience }, forEver).catch(() => resolve(!patience.aborted));
  });
}
