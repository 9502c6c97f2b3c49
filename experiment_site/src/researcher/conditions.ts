// Conditions by state, with bars of one scale, so that uneven conditions stand out.

import { make } from "../dom";
import { type Counts, type Overview, PROGRESS, type Progress } from "./contract";
import { PROGRESS_MEANINGS, PROGRESS_NAMES } from "./words";

/** States shown always; the others appear once there is such a session. */
const ALWAYS: ReadonlySet<Progress> = new Set(["finished", "under_way", "dropped_out"]);

export function conditionTable(overview: Overview): HTMLElement {
  const shown = PROGRESS.filter((progress) => ALWAYS.has(progress) || overview.total[progress] > 0);
  const longest = Math.max(1, ...overview.conditions.flatMap((counts) => shown.map((progress) => counts[progress])));
  const row = (name: string, counts: Counts, withBars: boolean) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      ...shown.map((progress) =>
        make(
          "td",
          {},
          make("span", { class: "count" }, String(counts[progress])),
          ...(withBars ? [bar(progress, counts[progress] / longest)] : []),
        ),
      ),
    );
  return make(
    "table",
    { class: "conditions" },
    make("caption", {}, evenness(overview.conditions)),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, "Condition"),
        ...shown.map((progress) =>
          make("th", { scope: "col", title: PROGRESS_MEANINGS[progress] }, PROGRESS_NAMES[progress]),
        ),
      ),
    ),
    make("tbody", {}, ...overview.conditions.map((counts, index) => row(String(index), counts, true))),
    make("tfoot", {}, row("All", overview.total, false)),
  );
}

function bar(progress: Progress, share: number): HTMLElement {
  const fill = make("span", { class: progress });
  fill.style.width = `${100 * share}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/** How far apart the conditions are. */
export function evenness(conditions: readonly Counts[]): string {
  const finished = conditions.map((counts) => counts.finished);
  const [fewest, most] = [Math.min(...finished), Math.max(...finished)];
  if (conditions.length === 1) {
    return "One condition.";
  }
  return fewest === most
    ? `Finished participants: ${most} in every condition.`
    : `Finished participants: from ${fewest} to ${most} in a condition.`;
}
