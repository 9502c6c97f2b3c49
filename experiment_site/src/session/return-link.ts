// Addresses of the recruiting platforms: where a participant returns with a completion code or submits a finished task.

/** Mechanical Turk and its sandbox. A link can name any address; work is submitted to these only. */
const MTURK: ReadonlySet<string> = new Set(["https://www.mturk.com", "https://workersandbox.mturk.com"]);

/** The address that carries the code; null where participants type it in. */
export function returnLink(platform: string, code: string): string | null {
  return platform === "prolific"
    ? `https://app.prolific.com/submissions/complete?cc=${encodeURIComponent(code)}`
    : null;
}

/** Where a form submits a finished task, from Mechanical Turk's `turkSubmitTo`; null if it is not one of their sites. */
export function submissionAddress(turkSubmitTo: string | null): string | null {
  const origin = turkSubmitTo?.replace(/\/$/, "");
  return origin !== undefined && MTURK.has(origin) ? `${origin}/mturk/externalSubmit` : null;
}
