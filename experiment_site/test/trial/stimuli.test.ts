import { afterEach, expect, test, vi } from "vitest";
import { RequestFailed } from "../../src/session/api";
import { Stimuli, StimulusMissing } from "../../src/trial/stimuli";

/** A network and a decoder in memory; images are strings. */
class Source {
  readonly attempts = new Map<string, number>();
  readonly asked: string[] = [];
  open = 0;
  busy = 0;
  busiest = 0;
  /** ms spent waiting for another attempt. */
  waited = 0;
  failing: (url: string, attempt: number) => Error | null = () => null;

  fetch = async (url: string): Promise<Blob> => {
    const attempt = (this.attempts.get(url) ?? 0) + 1;
    this.attempts.set(url, attempt);
    this.asked.push(url);
    this.busy += 1;
    this.busiest = Math.max(this.busiest, this.busy);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.busy -= 1;
    const failure = this.failing(url, attempt);
    if (failure !== null) {
      throw failure;
    }
    return new Blob([url]);
  };

  decode = async (): Promise<ImageBitmap> => {
    this.open += 1;
    return {
      width: 1,
      height: 1,
      close: () => {
        this.open -= 1;
      },
    };
  };

  wait = async (msec: number) => {
    this.waited += msec;
  };
}

const urls = Array.from({ length: 50 }, (_, i) => `stimuli/${i}.png`);
const [first, second, third, fourth] = urls as [string, string, string, string];
const notThere = new RequestFailed(404, "no such image");
const noNetwork = new RequestFailed(null, "no network");
const downFor = (attempts: number) => (_: string, attempt: number) => (attempt <= attempts ? noNetwork : null);

/** The images that were given up, in the order in which that became known. */
function missingFrom(stimuli: Stimuli): string[] {
  const missing: string[] = [];
  stimuli.onMissing = ({ url }) => missing.push(url);
  return missing;
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("all images are fetched in the order in which they are needed, four at a time", async () => {
  const source = new Source();
  await new Stimuli(urls, urls.length, source).load();
  expect(source.asked).toEqual(urls);
  expect(source.busiest).toBe(4);
});

test("loading waits for the first images only and counts only them", async () => {
  const source = new Source();
  const stimuli = new Stimuli(urls, 12, source);
  const progress: string[] = [];
  stimuli.onProgress = (done, total) => progress.push(`${done} of ${total}`);
  await stimuli.load();
  expect(progress).toEqual(Array.from({ length: 12 }, (_, i) => `${i + 1} of 12`));
  expect(stimuli.progress).toEqual({ done: 12, total: 12 });
  expect(source.asked.length).toBeLessThan(20);
  await vi.waitFor(() => expect(source.asked).toEqual(urls));
});

test("an image that is still loading is decoded on arrival", async () => {
  const source = new Source();
  const stimuli = new Stimuli(urls, 1, source);
  await stimuli.load();
  expect(source.asked).not.toContain(urls[20]);
  await expect(stimuli.decoded(urls[20] ?? "")).resolves.toMatchObject({ width: 1 });
  expect(source.attempts.get(urls[20] ?? "")).toBe(1);
});

test("an image that fails for a while is fetched again", async () => {
  const source = new Source();
  source.failing = downFor(3);
  await new Stimuli(urls.slice(0, 3), 3, source).load();
  expect([...source.attempts.values()]).toEqual([4, 4, 4]);
});

test("a first image that cannot be loaded stops the study within a minute", async () => {
  const source = new Source();
  source.failing = (url) => (url === first ? noNetwork : null);
  const stimuli = new Stimuli(urls.slice(0, 3), 3, source);
  const missing = missingFrom(stimuli);
  await expect(stimuli.load()).rejects.toMatchObject({ url: first });
  expect(missing).toEqual([first]);
  expect(source.waited).toBeLessThan(60_000);
});

test("an image that nobody needs yet is waited for through an outage of ten minutes", async () => {
  const source = new Source();
  source.failing = (url) => (url === third && source.waited < 600_000 ? noNetwork : null);
  const stimuli = new Stimuli(urls, 2, source);
  const missing = missingFrom(stimuli);
  await stimuli.load();
  await expect(stimuli.decoded(third)).resolves.toMatchObject({ width: 1 });
  expect(source.waited).toBeGreaterThan(600_000);
  expect(missing).toEqual([]);
});

test("a first image that is not there is named, at once", async () => {
  const source = new Source();
  source.failing = (url) => (url === third ? notThere : null);
  const loading = new Stimuli(urls.slice(0, 5), 5, source).load();
  await expect(loading).rejects.toThrow(StimulusMissing);
  await expect(loading).rejects.toMatchObject({ url: third });
  expect(source.attempts.get(third)).toBe(1);
});

test("a later one is named long before its trial, and holds up nothing until then", async () => {
  const source = new Source();
  source.failing = (url) => (url === fourth ? notThere : null);
  const stimuli = new Stimuli(urls, 2, source);
  const missing = missingFrom(stimuli);
  await stimuli.load();
  await vi.waitFor(() => expect(source.asked).toEqual(urls));
  expect(missing).toEqual([fourth]);
  await expect(stimuli.decoded(second)).resolves.toMatchObject({ width: 1 });
  await expect(stimuli.decoded(fourth)).rejects.toThrow(/stimuli\/3.png.*no such image/);
});

test("an image that was given up is shown all the same if it is there when its trial comes", async () => {
  const source = new Source();
  source.failing = (url, attempt) => (url === fourth && attempt === 1 ? notThere : null);
  const stimuli = new Stimuli(urls, 2, source);
  const missing = missingFrom(stimuli);
  await stimuli.load();
  await vi.waitFor(() => expect(missing).toEqual([fourth]));
  await expect(stimuli.decoded(fourth)).resolves.toMatchObject({ width: 1 });
});

test("a file that is no image is found out before the first trial, after a few attempts", async () => {
  const source = new Source();
  source.decode = async () => {
    throw new Error("not an image");
  };
  await expect(new Stimuli([first], 1, source).load()).rejects.toThrow(/stimuli\/0.png.*not an image/);
  expect(source.attempts.get(first)).toBe(3);
});

test("only the images of the next trials are kept decoded", async () => {
  const source = new Source();
  const stimuli = new Stimuli(urls, urls.length, source);
  await stimuli.load();
  expect(source.open).toBe(0);
  for (let trial = 0; trial < urls.length; trial += 1) {
    stimuli.lookAhead(urls.slice(trial));
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(source.open).toBe(Math.min(20, urls.length - trial));
    await expect(stimuli.decoded(urls[trial] ?? "")).resolves.toMatchObject({ width: 1 });
  }
});

test.each([
  ["refuses", 404, 1],
  ["is down", 503, 7],
])("a server that %s is asked as often as makes sense", async (_, status, attempts) => {
  vi.useFakeTimers();
  const fetch = vi.fn(async () => new Response(null, { status }));
  vi.stubGlobal("fetch", fetch);
  const loading = expect(new Stimuli([first], 1).load()).rejects.toThrow(`the server answered ${status}`);
  await vi.advanceTimersByTimeAsync(60_000);
  await loading;
  expect(fetch).toHaveBeenCalledTimes(attempts);
});

test("a network that cannot be reached is tried as often as a server that is down", async () => {
  vi.useFakeTimers();
  const fetch = vi.fn(async () => {
    throw new TypeError("Failed to fetch");
  });
  vi.stubGlobal("fetch", fetch);
  const loading = expect(new Stimuli([first], 1).load()).rejects.toThrow("Failed to fetch");
  await vi.advanceTimersByTimeAsync(60_000);
  await loading;
  expect(fetch).toHaveBeenCalledTimes(7);
});

test("an image whose decoding failed is decoded again when it is asked for again", async () => {
  const source = new Source();
  const stimuli = new Stimuli([first], 1, source);
  await stimuli.load();
  const decode = vi.spyOn(source, "decode").mockRejectedValueOnce(new Error("out of memory"));
  await expect(stimuli.decoded(first)).rejects.toBeInstanceOf(StimulusMissing);
  await expect(stimuli.decoded(first)).resolves.toMatchObject({ width: 1 });
  decode.mockRestore();
});
