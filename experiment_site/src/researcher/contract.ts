// What the server tells the researcher's page. The names are those of the server's answers (`overview.py`, `links.py`).

export const PROGRESS = ["finished", "under_way", "dropped_out", "screened_out", "abandoned", "restarted"] as const;

/** Where a session stands. */
export type Progress = (typeof PROGRESS)[number];

export type Counts = Readonly<Record<Progress, number>>;

export type ReleaseReason = "returned" | "timed_out";

export interface Problem {
  readonly kind: "page_error" | "picture_missing";
  readonly message: string;
  readonly trial_index: number | null;
  readonly at: string;
}

export interface Session {
  readonly participant: string;
  readonly platform: string;
  readonly assignment_id: string;
  readonly condition_idx: number;
  readonly progress: Progress;
  readonly released: ReleaseReason | null;
  readonly n_stored: number;
  readonly n_trials: number;
  readonly started_at: string;
  readonly last_seen: string | null;
  readonly may_be_released: boolean;
  readonly problems: readonly Problem[];
}

export interface PlatformLink {
  readonly platform: string;
  readonly url: string;
  readonly purpose: string;
}

export interface Overview {
  readonly study_id: string;
  readonly title: string;
  readonly links: readonly PlatformLink[];
  /** By condition_idx. */
  readonly conditions: readonly Counts[];
  readonly total: Counts;
  /** Sessions by platform. */
  readonly platforms: Readonly<Record<string, number>>;
  readonly median_minutes: number | null;
  /** null: without end. */
  readonly places_left: number | null;
  readonly n_tried_out: number;
  /** The newest first. */
  readonly sessions: readonly Session[];
}
