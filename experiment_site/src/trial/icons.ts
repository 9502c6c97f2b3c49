// Loads the icons of the choices before the first trial, all or none. If one fails, the study continues without icons: an
// icon among names would attract answers.

import { make } from "../dom";
import { retry, sleep } from "../session/back-off";

const ATTEMPTS = 3;
const TIMEOUT_MSEC = 20_000;

export interface IconSource {
  /** The decoded icon; rejects if it cannot be loaded. */
  readonly load: (url: string) => Promise<HTMLImageElement>;
  readonly wait: (msec: number) => Promise<void>;
}

export class Icons {
  /** Called with the number of icons loaded or given up so far. */
  onProgress: (done: number, total: number) => void = () => {};
  /** Called for each icon that is given up, with the reason. */
  onMissing: (message: string) => void = () => {};

  readonly #urls: readonly string[];
  readonly #source: IconSource;
  readonly #loaded = new Map<string, HTMLImageElement>();
  #done = 0;

  /** `urls`: each icon once. */
  constructor(urls: readonly string[], source: IconSource = browserSource) {
    this.#urls = urls;
    this.#source = source;
  }

  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#done, total: this.#urls.length };
  }

  /** Load all icons; resolves when each is loaded or given up. */
  async load(): Promise<void> {
    await Promise.all(this.#urls.map((url) => this.#loadOne(url)));
    if (this.#loaded.size < this.#urls.length) {
      this.#loaded.clear();
    }
  }

  /**
   * These icons by URL, decoded; empty if any icon of the session is missing. Each icon is one element, so that nothing is
   * loaded twice: showing it moves it from where it was.
   */
  async ready(urls: readonly string[]): Promise<ReadonlyMap<string, HTMLImageElement>> {
    const icons = urls.flatMap((url): [string, HTMLImageElement][] => {
      const icon = this.#loaded.get(url);
      return icon === undefined ? [] : [[url, icon]];
    });
    // Browsers discard images decoded long ago. One that lacks memory to decode now still draws the icon.
    await Promise.all(icons.map(([, icon]) => icon.decode().catch(() => {})));
    return new Map(icons);
  }

  async #loadOne(url: string): Promise<void> {
    const { load, wait } = this.#source;
    try {
      // An <img> does not say why it failed, so every failure is retried.
      this.#loaded.set(url, await retry(() => load(url), { isTransient: () => true, attempts: ATTEMPTS, wait }));
    } catch (error) {
      console.warn("All choices are shown by their names.", error);
      this.onMissing(error instanceof Error ? error.message : String(error));
    }
    this.#done += 1;
    this.onProgress(this.#done, this.#urls.length);
  }
}

/** An <img> rather than fetch: it needs no CORS headers. */
const browserSource: IconSource = {
  async load(url) {
    // Decorative: the button has a name. `sync`: drawn on the same frame as the button, never later.
    const icon = make("img", { class: "icon", alt: "", decoding: "sync" });
    await loadInto(icon, url);
    await icon.decode();
    return icon;
  },
  wait: sleep,
};

/** Only the network has a time limit: some browsers decode nothing while the page is hidden. */
function loadInto(icon: HTMLImageElement, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`${url} could not be loaded: ${reason}`));
    icon.addEventListener("load", () => resolve());
    icon.addEventListener("error", () => fail("it does not exist or is no image"));
    setTimeout(fail, TIMEOUT_MSEC, "it took too long");
    icon.src = url;
  });
}
