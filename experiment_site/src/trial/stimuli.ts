// The pictures of a session: those of the first blocks are here before the first trial, the others follow in the order in
// which they are needed; each is decoded a little ahead of its trial. Knows nothing of trials, pages or reports.

import { RequestFailed } from "../session/api";
import { persistently, sleep } from "../session/back-off";

/** Browsers open six connections to a server: two stay free, so that no answer waits behind a picture. */
const PARALLEL = 4;
/** Half a minute, when each attempt fails at once: someone is waiting for this picture. */
const ATTEMPTS = 7;
/** A quarter of an hour: nobody is waiting yet, and the network may come back. */
const PATIENT_ATTEMPTS = 80;
/** A file that was cut off in transfer is worth another attempt; one that is no picture never becomes one. */
const ATTEMPTS_TO_DECODE = 3;
/** Long enough for a large picture on a slow line, short enough that a hung connection is given up. */
const TIMEOUT_MSEC = 60_000;
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
  /** Rejects with `RequestFailed`, whatever happens. */
  readonly fetch: (url: string) => Promise<Blob>;
  readonly decode: (file: Blob) => Promise<ImageBitmap>;
  readonly wait: (msec: number) => Promise<void>;
}

export class Stimuli {
  /** Called while loading with the number of the first pictures that are here. */
  onProgress: (done: number, total: number) => void = () => {};
  /** Called for each picture that is given up, long before its trial if it can be known then. */
  onMissing: (missing: StimulusMissing) => void = () => {};

  readonly #urls: readonly string[];
  readonly #nFirst: number;
  readonly #source: StimulusSource;
  #nFirstHere = 0;
  /** Here or on their way; a picture that was given up is not among them. */
  readonly #files = new Map<string, Promise<Blob>>();
  readonly #decoded = new Map<string, Promise<ImageBitmap>>();

  /** `urls`: each picture once, in the order in which they are needed; `nFirst`: how many the first trial waits for. */
  constructor(urls: readonly string[], nFirst: number, source: StimulusSource = browserSource) {
    this.#urls = urls;
    this.#nFirst = nFirst;
    this.#source = source;
  }

  /** Of the first pictures. */
  get progress(): { readonly done: number; readonly total: number } {
    return { done: this.#nFirstHere, total: this.#nFirst };
  }

  /**
   * Fetch all pictures in order and see that each can be decoded; resolves when the first ones are here.
   *
   * @throws StimulusMissing for a first one that cannot be had after several attempts.
   */
  async load(): Promise<void> {
    const inTurn = fewAtATime(PARALLEL);
    const files = this.#urls.map((url, position) =>
      this.#keep(url, () => inTurn(() => this.#fetch(url, position < this.#nFirst ? ATTEMPTS : PATIENT_ATTEMPTS))),
    );
    await Promise.all(
      files.slice(0, this.#nFirst).map(async (file) => {
        await file;
        this.#nFirstHere += 1;
        this.onProgress(this.#nFirstHere, this.#nFirst);
      }),
    );
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

  /**
   * A picture, ready to be drawn, as soon as it is here.
   *
   * One that was given up is tried once more: the network may be back, or the picture where it belongs.
   */
  decoded(url: string): Promise<ImageBitmap> {
    const known = this.#decoded.get(url);
    if (known !== undefined) {
      return known;
    }
    const picture = this.#decode(url);
    this.#decoded.set(url, picture);
    picture.catch(() => {
      if (this.#decoded.get(url) === picture) {
        this.#decoded.delete(url);
      }
    });
    return picture;
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
    const mayPass = (error: unknown) => {
      if (error instanceof RequestFailed) {
        return error.mayPass;
      }
      undecodable += 1;
      return undecodable < ATTEMPTS_TO_DECODE;
    };
    try {
      return await persistently(
        async () => {
          const file = await fetch(url);
          (await decode(file)).close();
          return file;
        },
        { mayPass, attempts, wait },
      );
    } catch (error) {
      throw new StimulusMissing(url, error);
    }
  }
}

/** Runs tasks in the order in which they come, so many at a time. */
function fewAtATime(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
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
        next(); // which takes this one's place
      }
    }
  };
}

const browserSource: StimulusSource = {
  async fetch(url) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MSEC) });
      if (!answer.ok) {
        throw new RequestFailed(answer.status, `the server answered ${answer.status}`);
      }
      return await answer.blob();
    } catch (error) {
      throw error instanceof RequestFailed ? error : new RequestFailed(null, String(error));
    }
  },
  // Resolves when the picture is decoded in full, unlike the load event of an <img>.
  decode: (file) => createImageBitmap(file),
  wait: sleep,
};
