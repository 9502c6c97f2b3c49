// Names of states, and formats of times and numbers.

import type { Problem, Progress, ReleaseReason } from "./contract";

export const PROGRESS_NAMES: Readonly<Record<Progress, string>> = {
  finished: "Finished",
  under_way: "Under way",
  dropped_out: "Dropped out",
  screened_out: "Screened out",
  abandoned: "Abandoned",
  restarted: "Restarted",
};

export const PROGRESS_MEANINGS: Readonly<Record<Progress, string>> = {
  finished: "every answer is stored",
  under_way: "active within the lease",
  dropped_out: "not active within the lease, or released; the next participant gets the place",
  screened_out: "did not pass the screening",
  abandoned: "left and came back when the study no longer allowed it",
  restarted: "the earlier answers of a participant who came back and had to restart",
};

export const RELEASE_NAMES: Readonly<Record<ReleaseReason, string>> = { returned: "returned", timed_out: "timed out" };

export const PROBLEM_NAMES: Readonly<Record<Problem["kind"], string>> = {
  page_error: "Error on the page",
  picture_missing: "Image missing",
};

export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** A time of day, to the second. */
export const clock = (at: Date): string => timeOfDay(at, { second: "2-digit" });

/** A time of day; with its date, if that is not today's. */
export function moment(at: Date, now: Date): string {
  const time = timeOfDay(at);
  const isToday = at.toDateString() === now.toDateString();
  return isToday ? time : `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

const timeOfDay = (at: Date, more: Intl.DateTimeFormatOptions = {}): string =>
  at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more });

export function duration(minutes: number | null): string {
  if (minutes === null) {
    return "–";
  }
  return minutes < 1
    ? `${Math.round(60 * minutes)} s`
    : `${minutes < 10 ? minutes.toFixed(1) : Math.round(minutes)} min`;
}
