import type { Counts, Overview, Session } from "../../src/researcher/contract";

export const counts = (some: Partial<Counts> = {}): Counts => ({
  finished: 0,
  under_way: 0,
  dropped_out: 0,
  screened_out: 0,
  abandoned: 0,
  restarted: 0,
  ...some,
});

export const session = (participant: string, some: Partial<Session> = {}): Session => ({
  participant,
  platform: "prolific",
  assignment_id: `Session-of-${participant}`,
  condition_idx: 0,
  progress: "under_way",
  released: null,
  n_stored: 3,
  n_trials: 10,
  started_at: "2026-01-31T12:00:00.000+00:00",
  last_seen: "2026-01-31T12:10:00.000+00:00",
  may_be_released: true,
  problems: [],
  ...some,
});

export const overview = (some: Partial<Overview> = {}): Overview => ({
  at: "2026-01-31T12:00:00.000+00:00",
  study_id: "moths_1",
  title: "Moths",
  links: [],
  conditions: [counts(), counts()],
  total: counts(),
  platforms: {},
  median_minutes: null,
  places_left: null,
  n_tried_out: 0,
  sessions: [],
  ...some,
});
