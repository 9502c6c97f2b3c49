// Where a participant goes back to with their code. The only place that knows the recruiting platforms' addresses.

/** The address that hands the code over; null where the platform has none and the code is typed in. */
export function returnLink(platform: string, code: string): string | null {
  return platform === "prolific"
    ? `https://app.prolific.com/submissions/complete?cc=${encodeURIComponent(code)}`
    : null;
}
