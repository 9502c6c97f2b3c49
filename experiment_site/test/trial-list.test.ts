import { expect, test } from "vitest";
import { expandTrials, remainingTrials, startsTest, stimulusUrls } from "../src/trial-list";
import { aTrial } from "./fixtures";

const trials = (count: number) => Array.from({ length: count }, (_, index) => aTrial({ index }));
const indices = (list: readonly { index: number }[]) => list.map((trial) => trial.index);

test("a trial has the common settings and, before them, its own", () => {
  const expanded = expandTrials({
    trialset_id: 0,
    condition_idx: 0,
    settings: { show_feedback: true, choice_duration_msec: 9_000 },
    trials: [{ index: 0 }, { index: 1, show_feedback: false }],
  });
  expect(expanded).toEqual([
    { index: 0, show_feedback: true, choice_duration_msec: 9_000 },
    { index: 1, show_feedback: false, choice_duration_msec: 9_000 },
  ]);
});

test("a session goes on at the first trial that is neither stored nor waiting to be sent", () => {
  expect(indices(remainingTrials(trials(5), 0, new Set()))).toEqual([0, 1, 2, 3, 4]);
  expect(indices(remainingTrials(trials(5), 2, new Set([2, 3])))).toEqual([4]);
  expect(indices(remainingTrials(trials(5), 5, new Set()))).toEqual([]);
});

test("test instructions come before the first trial of each run that asks for them", () => {
  const asks = [false, true, true, false, true];
  const list = asks.map((show_test_instructions, index) => aTrial({ index, show_test_instructions }));
  expect(indices(list.filter((trial) => startsTest(list, trial.index)))).toEqual([1, 4]);
});

test("a picture shown twice is loaded once, and calibration trials need none", () => {
  const list = ["a", null, "b", "a"].map((stimulus_url, index) => aTrial({ index, stimulus_url }));
  expect(stimulusUrls(list)).toEqual(["a", "b"]);
});
