// @vitest-environment happy-dom
import { ParameterType } from "jspsych";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Trial } from "../../src/contract";
import type { Requirement } from "../../src/screen/requirement";
import { Icons } from "../../src/trial/icons";
import { Stimuli } from "../../src/trial/stimuli";
import { runTrials, type TrialRun } from "../../src/trial/trial-run";
import { aTrial } from "../fixtures";

/** What was shown and asked, in order. */
const log: string[] = [];

vi.mock("../../src/trial/categorisation-trial", () => ({
  CategorisationTrial: class {
    static readonly info = {
      name: "recorded-trial",
      version: "0",
      parameters: { index: { type: ParameterType.INT, default: undefined } },
      data: {},
    };

    async trial(_: HTMLElement, { index }: { index: number }): Promise<void> {
      log.push(`trial ${index}`);
    }
  },
}));

beforeEach(() => {
  log.length = 0;
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Two trials before the screening, then a test of two. */
const trials: readonly Trial[] = [0, 1, 2, 2].map((block, index) =>
  aTrial({ index, block, stimulus_url: null, show_test_instructions: block === 2 }),
);

async function run(next: number, changes: Partial<TrialRun> = {}): Promise<void> {
  const view = document.createElement("main");
  document.body.replaceChildren(view);
  // Leave every page as soon as it is shown.
  new MutationObserver(() => {
    const button = view.querySelector("button");
    if (button !== null) {
      log.push("test instructions");
      button.click();
    }
  }).observe(view, { childList: true, subtree: true });
  const running = runTrials(view, {
    trials,
    remaining: trials.slice(next),
    testInstructions: "<p>Now the test</p>",
    screeningBlock: 1,
    passesScreening: async () => {
      log.push("screening");
      return true;
    },
    stimuli: new Stimuli([], 0),
    icons: new Icons([]),
    requirements: [],
    pxPerDegree: null,
    surroundings: () => expect.fail("nothing is shown"),
    frameInterval: 1000 / 60,
    onTrial: () => {},
    onAnswer: () => {},
    ...changes,
  });
  await Promise.all([running, vi.advanceTimersByTimeAsync(60_000)]);
}

const fail = async () => {
  log.push("screening");
  return false;
};

test("the screening comes after its block and before the instructions of the test", async () => {
  await run(0);
  expect(log).toEqual(["trial 0", "trial 1", "screening", "test instructions", "trial 2", "trial 3"]);
});

test("a participant who fails the screening sees nothing further", async () => {
  await run(0, { passesScreening: fail });
  expect(log).toEqual(["trial 0", "trial 1", "screening"]);
});

test.each([
  [2, ["screening", "test instructions", "trial 2", "trial 3"]],
  [3, ["screening", "trial 3"]],
])("a session that resumes at trial %i, after the block, starts with the screening", async (next, expected) => {
  await run(next);
  expect(log).toEqual(expected);
});

test("a session that resumes after the block and fails the screening shows no trial", async () => {
  await run(3, { passesScreening: fail });
  expect(log).toEqual(["screening"]);
});

test.each([null, 2])("there is no screening without trials after it (block %s)", async (screeningBlock) => {
  await run(0, { screeningBlock });
  expect(log).toEqual(["trial 0", "trial 1", "test instructions", "trial 2", "trial 3"]);
});

test("a screening that fails ends the run with its failure", async () => {
  const failure = new Error("opened in another window");
  await expect(run(1, { passesScreening: () => Promise.reject(failure) })).rejects.toBe(failure);
  expect(log).toEqual(["trial 1"]);
});

/** Met at first, then lost with each of some trials, until it is asked for. */
function requirement(name: string, lostWith: readonly string[]): Requirement {
  let nAsked = 0;
  return {
    isMet: () => lostWith.filter((trial) => log.includes(trial)).length === nAsked,
    ask: async () => {
      nAsked += 1;
      log.push(name);
    },
  };
}

test("unmet requirements are asked for between trials", async () => {
  await run(0, {
    requirements: [requirement("full screen", ["trial 0", "trial 2"]), requirement("large window", ["trial 0"])],
  });
  expect(log).toEqual([
    "trial 0",
    "full screen",
    "large window",
    "trial 1",
    "screening",
    "test instructions",
    "trial 2",
    "full screen",
    "trial 3",
  ]);
});

test("a study without instructions for the test shows none", async () => {
  await run(0, { testInstructions: null });
  expect(log).toEqual(["trial 0", "trial 1", "screening", "trial 2", "trial 3"]);
});

test("after a reload the progress counts the earlier trials, and the coming stimuli are decoded", async () => {
  const withImages = trials.map((trial) => ({ ...trial, stimulus_url: `${trial.index}.png` }));
  const stimuli = new Stimuli([], 0);
  const lookAhead = vi.spyOn(stimuli, "lookAhead").mockImplementation(() => {});
  const progress: (string | null | undefined)[] = [];
  const onTrial = () => {
    const bar = document.querySelector('[role="progressbar"]');
    queueMicrotask(() => progress.push(bar?.getAttribute("aria-valuenow")));
  };
  await run(2, { trials: withImages, remaining: withImages.slice(2), stimuli, onTrial });
  expect(progress).toEqual(["2", "3"]);
  expect(lookAhead.mock.calls).toEqual([[["2.png", "3.png"]], [["3.png"]]]);
});

test("a blank of half a second follows the screening, so that no one misses a brief stimulus", async () => {
  const at: Record<string, number> = {};
  const passesScreening = async () => {
    at.screening = Date.now();
    return true;
  };
  await run(3, {
    passesScreening,
    onTrial: () => {
      at.trial = Date.now();
    },
  });
  expect((at.trial ?? 0) - (at.screening ?? 0)).toBeGreaterThanOrEqual(500);
});
