// What must hold whenever a trial begins, and what is shown until it does.

export interface Requirement {
  isMet(): boolean;
  /** Show on `view` what is asked for; resolves when the participant has done it. */
  ask(view: HTMLElement): Promise<void>;
}
