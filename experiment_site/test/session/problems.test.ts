// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Problem } from "../../src/contract";
import { reportFailure } from "../../src/pages/failures";
import { RequestFailed } from "../../src/session/api";
import { ProblemReports } from "../../src/session/problems";
import { StimulusMissing } from "../../src/trial/stimuli";

const inNoTime = { wait: () => Promise.resolve() };
const secrets = ["the-token", "assignment 17", "w123", "7"];

/** Reports that arrive at once. */
function reports() {
  const sent: Problem[] = [];
  const send = async (problem: Problem) => sent.push(problem);
  return { sent, problems: new ProblemReports({ send, secrets, ...inNoTime }) };
}

/** The reported message of an error with this text. */
function reported(message: string): string | undefined {
  const { sent, problems } = reports();
  problems.pageError(message);
  return sent[0]?.message;
}

describe("what is reported", () => {
  test("an error of the page, with the trial on the screen and the place in the script", () => {
    const { sent, problems } = reports();
    const error = new TypeError("x is not a function");
    error.stack = "TypeError: x is not a function\n    at draw (http://lab.example/assets/index-b1.js:9:1234)";
    problems.pageError(error);
    problems.setTrial(4);
    problems.pageError("thrown text");
    expect(sent).toEqual([
      { kind: "page_error", message: "TypeError: x is not a function (index-b1.js:9:1234)", trial_index: null },
      { kind: "page_error", message: "thrown text", trial_index: 4 },
    ]);
  });

  test("a missing image, with the trial that needs it", () => {
    const { sent, problems } = reports();
    problems.setTrial(4);
    problems.imageMissing("stimuli/a1.png could not be loaded: the server answered 404", 12);
    expect(sent).toEqual([
      {
        kind: "picture_missing",
        message: "stimuli/a1.png could not be loaded: the server answered 404",
        trial_index: 12,
      },
    ]);
  });

  test("what nobody on the page catches", () => {
    const { sent, problems } = reports();
    problems.watch(window);
    window.dispatchEvent(new ErrorEvent("error", { error: new RangeError("too far"), message: "" }));
    window.dispatchEvent(new ErrorEvent("error", { message: "Script error." }));
    const rejection = Object.assign(new Event("unhandledrejection"), { reason: new Error("too late") });
    window.dispatchEvent(rejection);
    expect(sent.map(({ message }) => message.replace(/ \(.*/, ""))).toEqual([
      "RangeError: too far",
      "Script error.",
      "Error: too late",
    ]);
  });

  test("what ended the study here, unless it continues elsewhere", () => {
    const { sent, problems } = reports();
    reportFailure(new RequestFailed(401, "opened in another window"), problems);
    expect(sent).toEqual([]);
    reportFailure(new RequestFailed(400, "trial 3: i_choice is not one of the 4 choices"), problems);
    const missing = new StimulusMissing("stimuli/a1.png", "it is no image");
    problems.imageMissing(missing.message, 12);
    reportFailure(missing, problems);
    expect(sent.map(({ kind, trial_index }) => [kind, trial_index])).toEqual([
      ["page_error", null],
      ["picture_missing", 12],
    ]);
  });
});

describe("a report", () => {
  test.each([
    ["https://lab.example/?PLATFORM=prolific&PID=5f2a failed", "https://lab.example/ failed"],
    ["a.png?X-Signature=abc%20d: gone", "a.png: gone"],
    ["refused the-token", "refused …"],
    ["no row [assignment 17, 3]", "no row […, 3]"],
    ["lwise assignment%2017 is locked", "lwise … is locked"],
    ["what? 7 = 8", "what? 7 = 8"],
  ])("names no one: %s", (message, expected) => {
    expect(reported(message)).toBe(expected);
  });

  test("is one line of at most 500 printable characters", () => {
    expect(reported("one\n  two\u0000\u200b three\ud800")).toBe("one two three");
    expect([...(reported("𝒳".repeat(600)) ?? "")]).toHaveLength(500);
    expect(reported("\n")).toBe("no message");
  });

  test("of the same problem is sent once, and never more than 30 are", () => {
    const { sent, problems } = reports();
    for (let i = 0; i < 100; i += 1) {
      problems.pageError(`error ${i}`);
      problems.pageError(`error ${i}`);
    }
    expect(sent.map(({ message }) => message)).toEqual(Array.from({ length: 30 }, (_, i) => `error ${i}`));
  });
});

describe("a report that fails", () => {
  const unhandled = vi.fn();

  beforeEach(() => {
    vi.useFakeTimers();
    process.on("unhandledRejection", unhandled);
  });

  afterEach(() => {
    vi.useRealTimers();
    process.off("unhandledRejection", unhandled);
  });

  test("arrives when the network is back", async () => {
    const arrived: number[] = [];
    const send = async () => {
      if (Date.now() < back) {
        throw new RequestFailed(null, "no network");
      }
      arrived.push(Date.now());
    };
    const back = Date.now() + 180_000;
    new ProblemReports({ send, secrets }).pageError("an error");
    await vi.advanceTimersByTimeAsync(600_000);
    expect(arrived).toHaveLength(1);
  });

  test.each([401, 503])("in the end is let go, and is no error of the page (%i)", async (status) => {
    const send = vi.fn(() => Promise.reject(new RequestFailed(status, "no")));
    const problems = new ProblemReports({ send, secrets });
    problems.watch(window);
    problems.pageError("an error");
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    const attempts = send.mock.calls.length;
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(send).toHaveBeenCalledTimes(attempts);
    expect(attempts).toBe(status === 401 ? 1 : 60);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

test("an id of four characters is hidden, a shorter one is not", () => {
  expect(reported("w123 saw trial 7")).toBe("… saw trial 7");
});
