// The pictures of a session: fetched before the first trial, decoded a little ahead of their trial, so that a trial
// never waits for the network or the decoder and memory holds only what comes next.

import { RequestFailed } from "./api";
import { persistently, sleep } from "./back-off";

const PARALLEL = 6;
const ATTEMPTS = 7;
/** Trials whose pictures are kept decoded. A decoded picture takes some hundred times the memory of its file. */
const AHEAD = 20;

/** A picture could not be had, and the study cannot go on without it. */
export class StimulusMissing extends Error {
  constructor(
    readonly url: string,
    cause: unknown,
  ) {
    super(`${url} could not be loaded: ${cause}`, { cause });
    this.name = "StimulusMissing";
  }
}

export interface StimulusSource {
  readonly fetch: (url: string) => Promise<Blob>;
  readonly decode: (file: Blob) => Promise<ImageBitmap>;
  readonly wait: (msec: number) => Promise<void>;
}

export class Stimuli {
  /** Called while loading with the number of pictures that are here. */
  onProgress: (done: number, total: number) => void = () => {};

  readonly #urls: readonly string[];
  readonly #source: StimulusSource;
  readonly #files = new Map<string, Blob>();
  readonly #decoded = new Map<string, Promise<ImageBitmap>>();

  /** `urls`: each picture once, in the order in which they are needed. */
  constructor(urls: readonly string[], source: StimulusSource = browserSource) {
    this.#urls = urls;
    this.#source = source;
  }

  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#files.size, total: this.#urls.length };
  }

  /**
   * Fetch all pictures and see that each can be decoded.
   *
   * @throws StimulusMissing for the first that cannot be had after several attempts.
   */
  async load(): Promise<void> {
    const queue = this.#urls.values();
    const worker = async () => {
      for (const url of queue) {
        this.#files.set(url, await this.#fetch(url));
        this.onProgress(this.#files.size, this.#urls.length);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  /** Decode the pictures of the coming trials and release the others. `upcoming`: URLs from the present trial on. */
  lookAhead(upcoming: readonly (string | null)[]): void {
    const wanted = new Set(upcoming.slice(0, AHEAD));
    for (const [url, picture] of this.#decoded) {
      if (!wanted.has(url)) {
        this.#decoded.delete(url);
        picture.then((bitmap) => bitmap.close()).catch(() => {});
      }
    }
    for (const url of wanted) {
      if (url !== null) {
        // A failure is told to whoever asks for the picture.
        this.decoded(url).catch(() => {});
      }
    }
  }

  /** A picture, ready to be drawn. */
  decoded(url: string): Promise<ImageBitmap> {
    const known = this.#decoded.get(url);
    if (known !== undefined) {
      return known;
    }
    const file = this.#files.get(url);
    const picture =
      file === undefined
        ? Promise.reject(new StimulusMissing(url, "it was not fetched"))
        : this.#source.decode(file).catch((error: unknown) => {
            throw new StimulusMissing(url, error);
          });
    this.#decoded.set(url, picture);
    return picture;
  }

  async #fetch(url: string): Promise<Blob> {
    const { fetch, decode, wait } = this.#source;
    try {
      return await persistently(
        async () => {
          const file = await fetch(url);
          (await decode(file)).close();
          return file;
        },
        // A file that was cut off in transfer does not decode: worth another attempt, like any failure but a refusal.
        { mayPass: (error) => !(error instanceof RequestFailed) || error.mayPass, attempts: ATTEMPTS, wait },
      );
    } catch (error) {
      throw new StimulusMissing(url, error);
    }
  }
}

const browserSource: StimulusSource = {
  async fetch(url) {
    const answer = await fetch(url);
    if (!answer.ok) {
      throw new RequestFailed(answer.status, `the server answered ${answer.status}`);
    }
    return answer.blob();
  },
  // Resolves when the picture is decoded in full, unlike the load event of an <img>.
  decode: (file) => createImageBitmap(file),
  wait: sleep,
};
