// Trying again after a failure that may pass: exponential waits with jitter, so that many pages do not come back at once.

const FIRST_WAIT_MSEC = 500;
const LONGEST_WAIT_MSEC = 15_000;

/** How long to wait after the n-th failure in a row (n from 1), in ms; `random` is uniform in 0..1. */
export function backOffMsec(failures: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT_MSEC, FIRST_WAIT_MSEC * 2 ** (failures - 1));
  return wait * (0.5 + 0.5 * random);
}

export const sleep = (msec: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msec));

export interface Persistence {
  /** Whether this failure may pass by itself. */
  readonly mayPass: (error: unknown) => boolean;
  /** Give up after so many attempts; never, if left out. */
  readonly attempts?: number;
  readonly onFailure?: (error: unknown) => void;
  readonly wait?: (msec: number) => Promise<void>;
}

/** The first success of `attempt`, or its first failure that will not pass. */
export async function persistently<T>(attempt: () => Promise<T>, how: Persistence): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!how.mayPass(error) || failures >= (how.attempts ?? Number.POSITIVE_INFINITY)) {
        throw error;
      }
      how.onFailure?.(error);
      await (how.wait ?? sleep)(backOffMsec(failures, Math.random()));
    }
  }
}
