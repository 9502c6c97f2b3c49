// Retries after transient failures: exponential back-off with jitter, so that many pages do not retry at once.

const FIRST_WAIT_MSEC = 500;
const LONGEST_WAIT_MSEC = 15_000;

/** Wait after the n-th consecutive failure (n from 1), in ms; `random` is uniform in 0..1. */
export function backOffMsec(failures: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT_MSEC, FIRST_WAIT_MSEC * 2 ** (failures - 1));
  return wait * (0.5 + 0.5 * random);
}

export const sleep = (msec: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, msec));

export interface RetryOptions {
  /** Whether a retry may succeed after this error. */
  readonly isTransient: (error: unknown) => boolean;
  /** Give up after this many attempts; by default never. */
  readonly attempts?: number;
  readonly onFailure?: (error: unknown) => void;
  readonly wait?: (msec: number) => Promise<void>;
}

/** Call `attempt` until it succeeds or fails permanently. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!options.isTransient(error) || failures >= (options.attempts ?? Number.POSITIVE_INFINITY)) {
        throw error;
      }
      options.onFailure?.(error);
      await (options.wait ?? sleep)(backOffMsec(failures, Math.random()));
    }
  }
}
