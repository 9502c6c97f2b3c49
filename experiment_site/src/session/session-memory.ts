// What the browser remembers of a session between two openings of the page, so that a reload does not ask twice. Where
// the browser keeps nothing, it is asked again.

import type { SessionRequest } from "../contract";
import type { ScreenScale } from "../screen/screen-scale";

/** A scale, and the screen and zoom for which it was measured. */
interface MeasuredScale {
  readonly screen: string;
  readonly scale: ScreenScale;
}

export class SessionMemory {
  /** Names the session. All parts count: on one machine, studies and participants share an origin. */
  readonly key: string;

  constructor(studyId: string, { platform, assignment_id }: SessionRequest) {
    this.key = JSON.stringify([studyId, platform, assignment_id]);
  }

  get hasConsented(): boolean {
    return read(() => localStorage, `lwise consent ${this.key}`) !== null;
  }

  noteConsent(): void {
    write(() => localStorage, `lwise consent ${this.key}`, "given");
  }

  /**
   * The scale that was measured in this tab, for a reload: the same person in front of the same screen, who need not
   * hold a card against it again. null on another screen or at another zoom, and in a tab that is opened later.
   */
  get scale(): ScreenScale | null {
    const noted = read(() => sessionStorage, `lwise scale ${this.key}`);
    if (noted === null) {
      return null;
    }
    const { screen, scale } = JSON.parse(noted) as MeasuredScale;
    return screen === presentScreen() ? scale : null;
  }

  noteScale(scale: ScreenScale): void {
    const measured: MeasuredScale = { screen: presentScreen(), scale };
    write(() => sessionStorage, `lwise scale ${this.key}`, JSON.stringify(measured));
  }
}

function presentScreen(): string {
  return `${window.screen.width}x${window.screen.height} ${window.devicePixelRatio}`;
}

// Browsers that keep nothing throw already when the storage is named.

function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

function write(storage: () => Storage, key: string, value: string): void {
  try {
    storage().setItem(key, value);
  } catch {
    // Asked again after a reload.
  }
}
