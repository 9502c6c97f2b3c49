import { expect, test } from "vitest";
import type { Trialset } from "../../src/contract";
import {
  expandTrials,
  firstBehindScreening,
  firstBlocks,
  iconUrls,
  remainingTrials,
  startsTest,
  stimulusUrls,
} from "../../src/trial/trial-list";
import { aTrial } from "../fixtures";

const trials = (count: number) => Array.from({ length: count }, (_, index) => aTrial({ index }));
const indices = (list: readonly { index: number }[]) => list.map((trial) => trial.index);

const BUCKET = "https://bucket.s3.amazonaws.com";
const ICONS = [`${BUCKET}/Leda_icon.png`, `${BUCKET}/Tyro_icon.png`];

/** A training trial, one from elsewhere, an attention check, and a test trial whose answer is withheld. */
const compact: Trialset = {
  trialset_id: 3,
  settings: { show_feedback: true, show_fixation: true, choice_duration_msec: 9_000 },
  kinds: [{}, { stimulus_duration_msec: 500 }, { show_feedback: false, choice_duration_msec: 4_000 }],
  folders: ["stimuli/", BUCKET],
  offers: [
    { choice_names: ["Leda", "Tyro"] },
    { choice_names: ["circle", "triangle"] },
    { choice_names: ["Leda", "Tyro"], choice_image_urls: ICONS },
  ],
  columns: ["block", "kind", "folder", "file", "shape", "offer", "i_correct_choice"],
  rows: [
    [0, 0, 0, "ab12.png", null, 0, 1],
    [0, 0, 1, "/moths/7.png", null, 0, 0],
    [1, 1, null, null, "circle", 1, 0],
    [2, 2, 0, "cd34.png", null, 2, null],
  ],
};

const ofAll = { show_feedback: true, show_fixation: true, choice_duration_msec: 9_000 };
const full = [
  {
    ...ofAll,
    index: 0,
    block: 0,
    stimulus_url: "stimuli/ab12.png",
    shape: null,
    choice_names: ["Leda", "Tyro"],
    i_correct_choice: 1,
  },
  {
    ...ofAll,
    index: 1,
    block: 0,
    stimulus_url: "https://bucket.s3.amazonaws.com/moths/7.png",
    shape: null,
    choice_names: ["Leda", "Tyro"],
    i_correct_choice: 0,
  },
  {
    ...ofAll,
    stimulus_duration_msec: 500,
    index: 2,
    block: 1,
    stimulus_url: null,
    shape: "circle",
    choice_names: ["circle", "triangle"],
    i_correct_choice: 0,
  },
  {
    show_feedback: false,
    show_fixation: true,
    choice_duration_msec: 4_000,
    index: 3,
    block: 2,
    stimulus_url: "stimuli/cd34.png",
    shape: null,
    choice_names: ["Leda", "Tyro"],
    choice_image_urls: ICONS,
  },
];

test("a trial has the settings of all, over them those of its kind, and its row's image, choices and answer", () => {
  expect(expandTrials(compact)).toStrictEqual(full);
});

test("an answer that is withheld is left out", () => {
  expect(expandTrials(compact).map((trial) => "i_correct_choice" in trial)).toEqual([true, true, true, false]);
});

test("rows are read by the names of their columns, whatever the order", () => {
  const columns = [...compact.columns].reverse();
  const rows = compact.rows.map((row) => [...row].reverse());
  expect(expandTrials({ ...compact, columns, rows })).toStrictEqual(full);
});

test("a session resumes at the first trial that is neither stored nor queued", () => {
  expect(indices(remainingTrials(trials(5), 0, new Set()))).toEqual([0, 1, 2, 3, 4]);
  expect(indices(remainingTrials(trials(5), 2, new Set([2, 3])))).toEqual([4]);
  expect(indices(remainingTrials(trials(5), 5, new Set()))).toEqual([]);
});

test("test instructions come before the first trial of each run that asks for them", () => {
  const asks = [false, true, true, false, true];
  const list = asks.map((show_test_instructions, index) => aTrial({ index, show_test_instructions }));
  expect(indices(list.filter((trial) => startsTest(list, trial.index)))).toEqual([1, 4]);
});

test.each([
  ["from the start", 0, 3],
  ["in the middle of its block", 2, 3],
  ["right behind its block", 3, 3],
  ["further on", 4, 4],
  ["behind the last trial", 5, undefined],
])("the screening stands before the first remaining trial behind its block, going on %s", (_, next, expected) => {
  const list = [0, 1, 1, 2, 3].map((block, index) => aTrial({ index, block }));
  expect(firstBehindScreening(list, remainingTrials(list, next, new Set()), 1)?.index).toBe(expected);
});

test("the screening stands behind the last trial of its block, though there be others in between", () => {
  const list = [1, 0, 1, 0].map((block, index) => aTrial({ index, block }));
  expect(firstBehindScreening(list, list, 1)?.index).toBe(3);
});

test("without a screening, or with one after the last or an unknown block, nothing is asked", () => {
  const list = [0, 1].map((block, index) => aTrial({ index, block }));
  expect([null, 1, 7].map((block) => firstBehindScreening(list, list, block))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test.each([
  ["from the start", 0, [0, 1, 2, 3]],
  ["in the middle of a block", 1, [1, 2, 3]],
  ["in the last block but one", 3, [3, 4, 5]],
  ["in the last block", 5, [5]],
])("the first two blocks are what is left of one and the next, going on %s", (_, next, expected) => {
  const list = [0, 0, 7, 7, 2, 2].map((block, index) => aTrial({ index, block }));
  expect(indices(firstBlocks(remainingTrials(list, next, new Set()), 2))).toEqual(expected);
});

test("an image shown twice is loaded once, and calibration trials need none", () => {
  const list = ["a", null, "b", "a"].map((stimulus_url, index) => aTrial({ index, stimulus_url }));
  expect(stimulusUrls(list)).toEqual(["a", "b"]);
});

test("the image of a choice is loaded once, and none where the page draws the choices", () => {
  expect(iconUrls(expandTrials(compact))).toEqual(ICONS);
  const again = aTrial({ choice_names: ["Tyro", "Leda"], choice_image_urls: [...ICONS].reverse() });
  expect(iconUrls([...expandTrials(compact), again])).toEqual(ICONS);
  const check = aTrial({
    shape: "circle",
    choice_names: ["circle", "Tyro", "triangle"],
    choice_image_urls: ["c", "T", "t"],
  });
  expect(iconUrls([check])).toEqual(["T"]);
});
