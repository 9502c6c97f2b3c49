// The pictures of the choices: loaded before the first trial, all or none. If one cannot be had the study goes on without
// any, because a picture among names would draw answers to itself; what stands in their place is not decided here.

import { make } from "../dom";
import { persistently, sleep } from "../session/back-off";

const ATTEMPTS = 3;
const PATIENCE_MSEC = 20_000;

export interface IconSource {
  /** The picture, ready to be drawn; rejects if it cannot be had. */
  readonly load: (url: string) => Promise<HTMLImageElement>;
  readonly wait: (msec: number) => Promise<void>;
}

export class Icons {
  /** Called while loading with the number of pictures that are here or given up. */
  onProgress: (done: number, total: number) => void = () => {};
  /** Called for each picture that is given up, with what went wrong. */
  onMissing: (message: string) => void = () => {};

  readonly #urls: readonly string[];
  readonly #source: IconSource;
  readonly #loaded = new Map<string, HTMLImageElement>();
  #done = 0;

  /** `urls`: each picture once. */
  constructor(urls: readonly string[], source: IconSource = browserSource) {
    this.#urls = urls;
    this.#source = source;
  }

  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#done, total: this.#urls.length };
  }

  /** Load all pictures; resolves when all are here, or each is here or given up and none will be shown. */
  async load(): Promise<void> {
    await Promise.all(this.#urls.map((url) => this.#loadOne(url)));
    if (this.#loaded.size < this.#urls.length) {
      this.#loaded.clear();
    }
  }

  /**
   * Some of the pictures by URL, or none of them, ready to be drawn. A picture is one element, so that nothing is loaded
   * again: it leaves the place where it was shown before.
   */
  async ready(urls: readonly string[]): Promise<ReadonlyMap<string, HTMLImageElement>> {
    const icons = urls.flatMap((url): [string, HTMLImageElement][] => {
      const icon = this.#loaded.get(url);
      return icon === undefined ? [] : [[url, icon]];
    });
    // Browsers throw away what they decoded long ago. One that is too short of memory now draws the picture all the same.
    await Promise.all(icons.map(([, icon]) => icon.decode().catch(() => {})));
    return new Map(icons);
  }

  async #loadOne(url: string): Promise<void> {
    const { load, wait } = this.#source;
    try {
      // An <img> does not tell why it failed, so every failure may pass.
      this.#loaded.set(url, await persistently(() => load(url), { mayPass: () => true, attempts: ATTEMPTS, wait }));
    } catch (error) {
      console.warn("All choices are shown by their names.", error);
      this.onMissing(error instanceof Error ? error.message : String(error));
    }
    this.#done += 1;
    this.onProgress(this.#done, this.#urls.length);
  }
}

/** An <img> rather than a fetch: it needs no leave of the server where the pictures lie. */
const browserSource: IconSource = {
  async load(url) {
    // Decorative, for the button around it has a name; `sync`: drawn on the same frame as the button, never after.
    const icon = make("img", { class: "icon", alt: "", decoding: "sync" });
    await arrival(icon, url);
    await icon.decode();
    return icon;
  },
  wait: sleep,
};

/** Only the network is given a time limit: some browsers decode nothing while the page is hidden. */
function arrival(icon: HTMLImageElement, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`${url} could not be loaded: ${reason}`));
    icon.addEventListener("load", () => resolve());
    icon.addEventListener("error", () => fail("it is not there, or no picture"));
    setTimeout(fail, PATIENCE_MSEC, "it took too long");
    icon.src = url;
  });
}
