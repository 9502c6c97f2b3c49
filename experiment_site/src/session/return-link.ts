// Where a participant goes back to with their code or their finished task. The only place that knows the recruiting
// platforms' addresses.

/** Mechanical Turk and its sandbox. A link can name any address; work is handed in at these only. */
const MTURK: ReadonlySet<string> = new Set(["https://www.mturk.com", "https://workersandbox.mturk.com"]);

/** The address that hands the code over; null where the platform has none and the code is typed in. */
export function returnLink(platform: string, code: string): string | null {
  return platform === "prolific"
    ? `https://app.prolific.com/submissions/complete?cc=${encodeURIComponent(code)}`
    : null;
}

/** Where a form hands a finished task in, from Mechanical Turk's `turkSubmitTo`; null if that is no site of theirs. */
export function submissionAddress(turkSubmitTo: string | null): string | null {
  const origin = turkSubmitTo?.replace(/\/$/, "");
  return origin !== undefined && MTURK.has(origin) ? `${origin}/mturk/externalSubmit` : null;
}
