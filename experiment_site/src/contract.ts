// The shapes that travel between page and server, under the server's names. Knows nothing of how they are sent or shown.

export type Shape = "circle" | "triangle";

export type PageName = "consent" | "task" | "test" | "done" | "screened_out";

/** What the page asks for besides the trials. */
export interface PageSettings {
  /** Phones and tablets are turned away. */
  readonly desktop_only: boolean;
  /** Least width and height of the window, in CSS px; 0: any. */
  readonly min_window_px: number;
  /** Measure the screen's scale and the viewing distance before the trials. */
  readonly calibrate_screen: boolean;
  readonly full_screen: boolean;
  /** Offer to leave an e-mail address at the end. */
  readonly ask_email: boolean;
}

export interface StudyPage {
  readonly study_id: string;
  readonly title: string;
  /** HTML that the server has made from Markdown and sanitised; null where the study has no such page. */
  readonly pages: Readonly<Record<PageName, string | null>>;
  /** The block after which the server decides whether the participant goes on; null: everyone does. */
  readonly screening_block: number | null;
  readonly page: PageSettings;
}

/** What a study sets for its trials. Durations in ms, widths in degrees of visual angle. */
export interface TrialSettings {
  readonly show_feedback: boolean;
  /** The trial begins with a cross in the centre that the participant clicks. */
  readonly show_fixation: boolean;
  readonly show_test_instructions: boolean;
  /** 0: until the response. */
  readonly stimulus_duration_msec: number;
  readonly keep_stimulus_on: boolean;
  readonly post_stimulus_delay_duration_msec: number;
  readonly pre_choice_lockout_delay_duration_msec: number;
  readonly choice_duration_msec: number;
  readonly intertrial_delay_duration_msec: number;
  /** Length of the feedback; null: until the space bar. */
  readonly reward_duration_msec: number | null;
  readonly incorrect_duration_msec: number | null;
  readonly correct_feedback_lockout_duration_msec: number;
  readonly incorrect_feedback_lockout_duration_msec: number;
  readonly keypress_fj_response: boolean;
  readonly stimulus_width_degrees: number;
  readonly choice_width_degrees_default: number;
  readonly query_string: string;
}

/** The choices of a trial, in ring order. */
export interface Offer {
  /** Shown names; on calibration trials two of them are shapes. */
  readonly choice_names: readonly string[];
  /** A picture for each choice; left out where the page draws the names. */
  readonly choice_image_urls?: readonly string[];
}

/** One trial with all of its settings. */
export interface Trial extends TrialSettings, Offer {
  readonly index: number;
  readonly block: number;
  /** Where the picture lies, relative to the page or elsewhere; null on calibration trials. */
  readonly stimulus_url: string | null;
  /** The shape to draw as stimulus on a calibration trial. */
  readonly shape: Shape | null;
  /** Withheld by the server when `show_feedback` is false. */
  readonly i_correct_choice?: number;
}

/** What a trial set says of one trial; `kind`, `folder` and `offer` are indices into the trial set's lists. */
export interface TrialRow {
  readonly block: number;
  readonly kind: number;
  /** The stimulus's URL is folder and file put together; both are null on calibration trials. */
  readonly folder: number | null;
  readonly file: string | null;
  readonly shape: Shape | null;
  readonly offer: number;
  /** null: withheld. */
  readonly i_correct_choice: number | null;
}

/** The trials of a session, compact: what several of them share stands once. */
export interface Trialset {
  readonly trialset_id: number;
  /** Settings of every trial unless its kind says otherwise. */
  readonly settings: Partial<TrialSettings>;
  readonly kinds: readonly Partial<TrialSettings>[];
  readonly folders: readonly string[];
  readonly offers: readonly Offer[];
  /** What the values of a row are, in their order. */
  readonly columns: readonly (keyof TrialRow)[];
  /** A row per trial, in the order shown. */
  readonly rows: readonly (readonly TrialRow[keyof TrialRow][])[];
}

export interface SessionRequest {
  readonly platform: string;
  readonly assignment_id: string;
  readonly worker_id: string | null;
  readonly study_id: string | null;
  readonly trialset_id: number | null;
}

/** How a session ends: with its last trial, with a screening that was not passed, or because it may not go on. */
export type EndState = "completed" | "screened_out" | "abandoned";

export interface StartedSession {
  readonly token: string;
  /** Random name of this session; another one when it was begun anew. */
  readonly participant: string;
  readonly trialset: Trialset;
  readonly next_trial: number;
  readonly state: "started" | EndState;
}

export interface FrameLog {
  readonly refresh_rate_hz: number;
  /** Of the stimulus all four are null when it stays until the response. */
  readonly stimulus_requested_frames: number | null;
  readonly stimulus_achieved_frames: number | null;
  /** What the requested frames last at the refresh rate. */
  readonly stimulus_requested_msec: number | null;
  readonly stimulus_achieved_msec: number | null;
  /** From the end of the stimulus's time to the onset of the choices. */
  readonly blank_requested_frames: number;
  readonly blank_achieved_frames: number;
  /** Frames missed from the drawing of the stimulus to the onset of the choices. */
  readonly dropped_frames: number;
  /** Whether stimulus and choices came on and went as requested, in frames and in ms. */
  readonly timing_ok: boolean;
}

/** Window and screen around one answer. */
export interface Surroundings {
  readonly window_width_px: number;
  readonly window_height_px: number;
  readonly full_screen: boolean;
  /** How often the window lost the focus since the answer before. */
  readonly focus_losses: number;
  /** CSS px; null where the screen was not calibrated, like the distance. */
  readonly px_per_degree: number | null;
  readonly viewing_distance_mm: number | null;
}

export type ResponseDevice = "mouse" | "key";

/** A participant's answer to one trial, as it is queued and sent. */
export interface Response {
  readonly index: number;
  /** null: the deadline passed. */
  readonly i_choice: number | null;
  /** From the onset of the choices, the frame after the one in which they were drawn. */
  readonly reaction_time_msec: number | null;
  readonly response_device: ResponseDevice | null;
  /** ISO 8601, UTC. */
  readonly timestamp_start: string;
  /** ms since the page opened. */
  readonly rel_timestamp_response: number | null;
  readonly stimulus_width_px: number;
  readonly choice_width_px: number;
  readonly monitor_width_px: number;
  readonly monitor_height_px: number;
  readonly frame_log: FrameLog;
  readonly surroundings: Surroundings;
}

export interface Stored {
  readonly stored: readonly number[];
  readonly next_trial: number;
}

export type ProblemKind = "page_error" | "picture_missing";

/** Something that went wrong on the page, for the researchers. */
export interface Problem {
  readonly kind: ProblemKind;
  /** One line of 500 characters at most, which names no ids. */
  readonly message: string;
  readonly trial_index: number | null;
}

export interface Screening {
  /** Whether the participant goes on. */
  readonly passed: boolean;
}

export interface Result {
  readonly state: EndState;
  /** What the participant enters on the recruiting platform; null where there is nothing to enter. */
  readonly code: string | null;
  readonly n_trials: number;
  readonly n_correct: number;
  /** 0..1 */
  readonly accuracy: number;
  readonly bonus_usd: number;
}
