// A condition that must hold whenever a trial starts.

export interface Requirement {
  isMet(): boolean;
  /** Ask the participant on `view` to meet it; resolves when they say so. */
  ask(view: HTMLElement): Promise<void>;
}
