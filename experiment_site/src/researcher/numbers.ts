// The numbers at the top of the researcher's page.

import { make } from "../dom";
import type { Overview } from "./contract";
import { counted, duration } from "./words";

export function numbers(overview: Overview): HTMLElement {
  const { total, sessions } = overview;
  const nWithProblems = sessions.filter((session) => session.problems.length > 0).length;
  const tiles = [
    tile("finished", "Finished", String(total.finished), places(overview.places_left)),
    tile("under_way", "Under way", String(total.under_way), "active now"),
    tile("dropped_out", "Dropped out", String(total.dropped_out), "their places are free again"),
    tile("time", "Median time", duration(overview.median_minutes), "from start to end"),
    tile("problems", "With problems", String(nWithProblems), `${counted(sessions.length, "session")} in all`),
  ];
  return make("dl", { class: "numbers" }, ...tiles);
}

function tile(name: string, title: string, value: string, note: string): HTMLElement {
  return make(
    "div",
    { class: `tile ${name}`, "data-testid": `number-${name}` },
    make("dt", {}, title),
    make("dd", { class: "value" }, value),
    make("dd", { class: "note" }, note),
  );
}

const places = (left: number | null): string => (left === null ? "no end set" : `${counted(left, "place")} left`);
