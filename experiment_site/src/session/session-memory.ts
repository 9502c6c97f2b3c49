// Remembers consent and screen scale in the browser, so that a reload does not ask again. Where the browser stores nothing,
// the page asks again.

import type { SessionRequest } from "../contract";
import type { ScreenScale } from "../screen/screen-scale";

/** A scale, and the screen and zoom for which it was measured. */
interface MeasuredScale {
  readonly screen: string;
  readonly scale: ScreenScale;
}

export class SessionMemory {
  /** Identifies the session. All parts count: on one machine, studies and participants share an origin. */
  readonly key: string;

  constructor(studyId: string, { platform, assignment_id }: SessionRequest) {
    this.key = JSON.stringify([studyId, platform, assignment_id]);
  }

  get hasConsented(): boolean {
    return read(() => localStorage, `lwise consent ${this.key}`) !== null;
  }

  saveConsent(): void {
    write(() => localStorage, `lwise consent ${this.key}`, "given");
  }

  /**
   * The scale measured in this tab, so that nobody calibrates again after a reload. null on another screen or at another
   * zoom, and in a new tab.
   */
  get scale(): ScreenScale | null {
    const saved = read(() => sessionStorage, `lwise scale ${this.key}`);
    if (saved === null) {
      return null;
    }
    const { screen, scale } = JSON.parse(saved) as MeasuredScale;
    return screen === currentScreen() ? scale : null;
  }

  saveScale(scale: ScreenScale): void {
    const measurement: MeasuredScale = { screen: currentScreen(), scale };
    write(() => sessionStorage, `lwise scale ${this.key}`, JSON.stringify(measurement));
  }
}

function currentScreen(): string {
  return `${window.screen.width}x${window.screen.height} ${window.devicePixelRatio}`;
}

// Browsers without storage throw as soon as it is accessed.

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
    // The page asks again after a reload.
  }
}
