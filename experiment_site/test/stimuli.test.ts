import { expect, test } from "vitest";
import { RequestFailed } from "../src/api";
import { Stimuli, StimulusMissing } from "../src/stimuli";

/** A network and a decoder in memory; pictures are strings. */
class Source {
  readonly attempts = new Map<string, number>();
  open = 0;
  busy = 0;
  busiest = 0;
  failing: (url: string, attempt: number) => Error | null = () => null;

  fetch = async (url: string): Promise<Blob> => {
    const attempt = (this.attempts.get(url) ?? 0) + 1;
    this.attempts.set(url, attempt);
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

  wait = () => Promise.resolve();
}

const urls = Array.from({ length: 50 }, (_, i) => `stimuli/${i}.png`);

test("all pictures are fetched, six at a time, with progress", async () => {
  const source = new Source();
  const stimuli = new Stimuli(urls, source);
  const progress: number[] = [];
  stimuli.onProgress = (done) => progress.push(done);
  await stimuli.load();
  expect(source.busiest).toBe(6);
  expect(progress).toEqual(urls.map((_, i) => i + 1));
  expect(stimuli.progress).toEqual({ done: 50, total: 50 });
});

test("a picture that fails for a while is fetched again", async () => {
  const source = new Source();
  source.failing = (_, attempt) => (attempt < 4 ? new RequestFailed(503, "down") : null);
  await new Stimuli(urls.slice(0, 3), source).load();
  expect([...source.attempts.values()]).toEqual([4, 4, 4]);
});

test("a picture that is not there is named, at once", async () => {
  const source = new Source();
  source.failing = (url) => (url === urls[2] ? new RequestFailed(404, "no such picture") : null);
  const loading = new Stimuli(urls.slice(0, 5), source).load();
  await expect(loading).rejects.toThrow(StimulusMissing);
  await expect(loading).rejects.toMatchObject({ url: urls[2] });
  expect(source.attempts.get(urls[2] ?? "")).toBe(1);
});

test("a file that is no picture is found out before the first trial", async () => {
  const source = new Source();
  source.decode = async () => {
    throw new Error("not an image");
  };
  await expect(new Stimuli(urls.slice(0, 1), source).load()).rejects.toThrow(/stimuli\/0.png.*not an image/);
});

test("only the pictures of the next trials are kept decoded", async () => {
  const source = new Source();
  const stimuli = new Stimuli(urls, source);
  await stimuli.load();
  expect(source.open).toBe(0);
  for (let trial = 0; trial < urls.length; trial += 1) {
    stimuli.lookAhead(urls.slice(trial));
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(source.open).toBe(Math.min(20, urls.length - trial));
    await expect(stimuli.decoded(urls[trial] ?? "")).resolves.toMatchObject({ width: 1 });
  }
});
