// Preloads the images of a session: those of the first blocks before the first trial, the others later in order of use.
// Each is decoded shortly before its trial. Knows nothing of trials, pages or reports.

import { RequestFailed } from "../session/api";
import { retry, sleep } from "../session/back-off";

/** Browsers open six connections to a server: two stay free, so that no answer waits for an image. */
const PARALLEL = 4;
/** About half a minute if each attempt fails at once: the participant waits for this image. */
const ATTEMPTS = 7;
/** About a quarter of an hour: nobody waits yet, and the network may recover. */
const BACKGROUND_ATTEMPTS = 80;
/** A truncated download is worth another attempt; a file that is no image never becomes one. */
const ATTEMPTS_TO_DECODE = 3;
/** Long enough for a large image on a slow connection, short enough to give up a hung one. */
const TIMEOUT_MSEC = 60_000;
/** Trials whose images are held decoded. A decoded image takes about a hundred times the memory of its file. */
const AHEAD = 20;

/** An image that the study needs could not be loaded. */
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
  /** Rejects only with `RequestFailed`. */
  readonly fetch: (url: string) => Promise<Blob>;
  readonly decode: (file: Blob) => Promise<ImageBitmap>;
  readonly wait: (msec: number) => Promise<void>;
}

export class Stimuli {
  /** Called with the number of first images loaded so far. */
  onProgress: (done: number, total: number) => void = () => {};
  /** Called for each image that is given up, before its trial where possible. */
  onMissing: (missing: StimulusMissing) => void = () => {};

  readonly #urls: readonly string[];
  readonly #nFirst: number;
  readonly #source: StimulusSource;
  #nFirstLoaded = 0;
  /** Loaded or loading; without images that were given up. */
  readonly #files = new Map<string, Promise<Blob>>();
  readonly #decoded = new Map<string, Promise<ImageBitmap>>();

  /** `urls`: each image once, in order of use; `nFirst`: how many the first trial waits for. */
  constructor(urls: readonly string[], nFirst: number, source: StimulusSource = browserSource) {
    this.#urls = urls;
    this.#nFirst = nFirst;
    this.#source = source;
  }

  /** Of the first images. */
  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#nFirstLoaded, total: this.#nFirst };
  }

  /**
   * Download all images in order and check that each can be decoded; resolves when the first ones are loaded.
   *
   * @throws StimulusMissing if one of the first images cannot be loaded.
   */
  async load(): Promise<void> {
    const limited = limitConcurrency(PARALLEL);
    const files = this.#urls.map((url, position) =>
      this.#keep(url, () => limited(() => this.#fetch(url, position < this.#nFirst ? ATTEMPTS : BACKGROUND_ATTEMPTS))),
    );
    await Promise.all(
      files.slice(0, this.#nFirst).map(async (file) => {
        await file;
        this.#nFirstLoaded += 1;
        this.onProgress(this.#nFirstLoaded, this.#nFirst);
      }),
    );
  }

  /** Decode the images of the next trials and release the others. `upcoming`: URLs from the current trial on. */
  lookAhead(upcoming: readonly (string | null)[]): void {
    const needed = new Set(upcoming.slice(0, AHEAD));
    for (const [url, image] of this.#decoded) {
      if (!needed.has(url)) {
        this.#decoded.delete(url);
        image.then((bitmap) => bitmap.close()).catch(() => {});
      }
    }
    for (const url of needed) {
      if (url !== null) {
        // A failure is reported when the trial asks for the image.
        this.decoded(url).catch(() => {});
      }
    }
  }

  /**
   * The decoded image, as soon as it is loaded.
   *
   * An image that was given up is tried once more: network or server may have recovered.
   */
  decoded(url: string): Promise<ImageBitmap> {
    const existing = this.#decoded.get(url);
    if (existing !== undefined) {
      return existing;
    }
    const image = this.#decode(url);
    this.#decoded.set(url, image);
    image.catch(() => {
      if (this.#decoded.get(url) === image) {
        this.#decoded.delete(url);
      }
    });
    return image;
  }

  async #decode(url: string): Promise<ImageBitmap> {
    const file = await (this.#files.get(url) ?? this.#keep(url, () => this.#fetch(url, ATTEMPTS)));
    try {
      return await this.#source.decode(file);
    } catch (error) {
      throw new StimulusMissing(url, error);
    }
  }

  #keep(url: string, fetch: () => Promise<Blob>): Promise<Blob> {
    const file = fetch();
    this.#files.set(url, file);
    file.catch((missing: StimulusMissing) => {
      this.#files.delete(url);
      this.onMissing(missing);
    });
    return file;
  }

  async #fetch(url: string, attempts: number): Promise<Blob> {
    const { fetch, decode, wait } = this.#source;
    let undecodable = 0;
    const mayRetry = (error: unknown) => {
      if (error instanceof RequestFailed) {
        return error.isTransient;
      }
      undecodable += 1;
      return undecodable < ATTEMPTS_TO_DECODE;
    };
    try {
      return await retry(
        async () => {
          const file = await fetch(url);
          (await decode(file)).close();
          return file;
        },
        { isTransient: mayRetry, attempts, wait },
      );
    } catch (error) {
      throw new StimulusMissing(url, error);
    }
  }
}

/** Runs tasks in order, at most `limit` at a time. */
function limitConcurrency(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (task) => {
    if (free > 0) {
      free -= 1;
    } else {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) {
        free += 1;
      } else {
        next(); // it takes over this slot
      }
    }
  };
}

const browserSource: StimulusSource = {
  async fetch(url) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MSEC) });
      if (!response.ok) {
        throw new RequestFailed(response.status, `the server answered ${response.status}`);
      }
      return await response.blob();
    } catch (error) {
      throw error instanceof RequestFailed ? error : new RequestFailed(null, String(error));
    }
  },
  // Resolves when the image is fully decoded, unlike the load event of an <img>.
  decode: (file) => createImageBitmap(file),
  wait: sleep,
};
