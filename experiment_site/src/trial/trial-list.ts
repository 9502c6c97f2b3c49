// The trials of a session: expanded from the trial set, and which remain after a reload.

import type { Trial, TrialRow, Trialset } from "../contract";
import { choiceFaces } from "./choice-faces";

/** Every trial with all of its settings, in the order shown. */
export function expandTrials(trialset: Trialset): Trial[] {
  const { settings, kinds, folders, offers, columns, rows } = trialset;
  return rows.map((values, index) => {
    const row = Object.fromEntries(columns.map((column, i) => [column, values[i]])) as unknown as TrialRow;
    return {
      ...settings,
      ...kinds[row.kind],
      ...offers[row.offer],
      index,
      block: row.block,
      stimulus_url: row.folder === null ? null : `${folders[row.folder]}${row.file}`,
      shape: row.shape,
      ...(row.i_correct_choice === null ? {} : { i_correct_choice: row.i_correct_choice }),
    } as Trial;
  });
}

/** Trials still to be shown: neither stored on the server (all before `nextTrial`) nor queued for sending. */
export function remainingTrials(trials: readonly Trial[], nextTrial: number, queued: ReadonlySet<number>): Trial[] {
  return trials.filter((trial) => trial.index >= nextTrial && !queued.has(trial.index));
}

/** The trials of the first `count` blocks. */
export function firstBlocks(trials: readonly Trial[], count: number): readonly Trial[] {
  const starts = trials.flatMap((trial, position) => (trial.block === trials[position - 1]?.block ? [] : [position]));
  return trials.slice(0, starts[count]);
}

/** Whether the test instructions precede this trial: it is the first of a run of trials that ask for them. */
export function startsTest(trials: readonly Trial[], index: number): boolean {
  return trials[index]?.show_test_instructions === true && trials[index - 1]?.show_test_instructions !== true;
}

/** The first remaining trial after the screening, which follows `block`; undefined: none. */
export function firstBehindScreening(
  trials: readonly Trial[],
  remaining: readonly Trial[],
  block: number | null,
): Trial | undefined {
  const last = block === null ? -1 : trials.map((trial) => trial.block).lastIndexOf(block);
  return last < 0 ? undefined : remaining.find((trial) => trial.index > last);
}

/** The images of these trials, each once, in order of use. */
export function stimulusUrls(trials: readonly Trial[]): string[] {
  return [...new Set(trials.flatMap((trial) => trial.stimulus_url ?? []))];
}

/** The icons of the choices of these trials, each once. */
export function iconUrls(trials: readonly Trial[]): string[] {
  const faces = trials.flatMap(choiceFaces);
  return [...new Set(faces.flatMap((face) => (face.kind === "icon" ? face.url : [])))];
}
