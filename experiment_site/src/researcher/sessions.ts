// The list of sessions: filter by state or problem, search by id, show problems, release a slot.

import { make } from "../dom";
import type { Problem, Session } from "./contract";
import { counted, moment, PROBLEM_NAMES, PROGRESS_NAMES, RELEASE_NAMES } from "./words";

const FIRST = 100;

const HEADINGS = [
  "Participant",
  "Platform and session",
  "Condition",
  "State",
  "Answers",
  "Started",
  "Last seen",
  "Problems",
];

const FILTERS = {
  all: { name: "All", fits: () => true },
  under_way: { name: "Under way", fits: (session: Session) => session.progress === "under_way" },
  dropped_out: { name: "Dropped out", fits: (session: Session) => session.progress === "dropped_out" },
  problems: { name: "With problems", fits: (session: Session) => session.problems.length > 0 },
} as const;
type Filter = keyof typeof FILTERS;

/** Keeps filters and open rows across updates. */
export class SessionList {
  readonly element: HTMLElement;
  readonly #onRelease: (session: Session) => void;
  readonly #rows = make("div", { class: "scroll" });
  readonly #opened = new Set<string>();
  #sessions: readonly Session[] = [];
  #filter: Filter = "all";
  #query = "";
  #showsAll = false;

  constructor(onRelease: (session: Session) => void) {
    this.#onRelease = onRelease;
    this.element = make("div", {}, make("div", { class: "choosing" }, this.#filters(), this.#search()), this.#rows);
  }

  update(sessions: readonly Session[]): void {
    this.#sessions = sessions;
    this.#draw();
  }

  #filters(): HTMLElement {
    const buttons = Object.entries(FILTERS).map(([filter, { name }]) => {
      const button = make("button", { type: "button", "aria-pressed": String(filter === this.#filter) }, name);
      button.addEventListener("click", () => {
        this.#filter = filter as Filter;
        for (const other of buttons) {
          other.setAttribute("aria-pressed", String(other === button));
        }
        this.#draw();
      });
      return button;
    });
    return make("div", { class: "filters", role: "group", "aria-label": "Which sessions" }, ...buttons);
  }

  #search(): HTMLElement {
    const input = make("input", {
      type: "search",
      placeholder: "Participant or session id",
      "aria-label": "Find a session by participant or session id",
      autocomplete: "off",
      spellcheck: "false",
    });
    input.addEventListener("input", () => {
      this.#query = input.value.trim().toLowerCase();
      this.#draw();
    });
    return input;
  }

  #draw(): void {
    const matches = this.#sessions.filter(
      (session) =>
        FILTERS[this.#filter].fits(session) &&
        (session.participant.includes(this.#query) || session.assignment_id.toLowerCase().includes(this.#query)),
    );
    const shown = this.#showsAll ? matches : matches.slice(0, FIRST);
    keepingFocus(this.#rows, () => {
      this.#rows.replaceChildren(
        shown.length === 0 ? this.#nothing() : this.#table(shown),
        ...(shown.length < matches.length ? [this.#more(matches.length)] : []),
      );
    });
  }

  #nothing(): HTMLElement {
    const sentence =
      this.#sessions.length === 0 ? "Nobody has started yet. Share one of the links below." : "No such session.";
    return make("p", { class: "quiet empty" }, sentence);
  }

  #more(total: number): HTMLElement {
    const button = make("button", { type: "button", class: "more" }, `Show all ${total}`);
    button.addEventListener("click", () => {
      this.#showsAll = true;
      this.#draw();
    });
    return button;
  }

  #table(sessions: readonly Session[]): HTMLElement {
    return make(
      "table",
      {},
      make("caption", { class: "unseen" }, "Sessions, the newest first"),
      make(
        "thead",
        {},
        make("tr", {}, ...HEADINGS.map((heading) => make("th", { scope: "col" }, heading)), make("td")),
      ),
      make("tbody", {}, ...sessions.flatMap((session) => this.#rowsOf(session, new Date()))),
    );
  }

  #rowsOf(session: Session, now: Date): HTMLElement[] {
    const isOpen = session.problems.length > 0 && this.#opened.has(session.participant);
    return [this.#row(session, now), ...(isOpen ? [problemRow(session.problems, now)] : [])];
  }

  #row(session: Session, now: Date): HTMLElement {
    const released = session.released === null ? [] : [make("small", {}, RELEASE_NAMES[session.released])];
    return make(
      "tr",
      { "data-participant": session.participant },
      make("th", { scope: "row" }, make("span", { class: "id" }, session.participant)),
      make("td", {}, session.platform, make("small", { class: "id" }, session.assignment_id)),
      make("td", { class: "number" }, String(session.condition_idx)),
      make(
        "td",
        {},
        make("span", { class: `state ${session.progress}` }, PROGRESS_NAMES[session.progress]),
        ...released,
      ),
      make("td", { class: "number" }, `${session.n_stored} of ${session.n_trials}`),
      make("td", { class: "number" }, time(session.started_at, now)),
      make("td", { class: "number" }, session.last_seen === null ? "–" : time(session.last_seen, now)),
      make("td", {}, ...(session.problems.length === 0 ? [] : [this.#problemsButton(session)])),
      make("td", { class: "action" }, ...(session.may_be_released ? [this.#releaseButton(session)] : [])),
    );
  }

  #problemsButton(session: Session): HTMLElement {
    const isOpen = this.#opened.has(session.participant);
    const button = make(
      "button",
      {
        type: "button",
        class: "small alarm",
        "data-key": `problems ${session.participant}`,
        "aria-expanded": String(isOpen),
      },
      counted(session.problems.length, "problem"),
    );
    button.addEventListener("click", () => {
      this.#opened[isOpen ? "delete" : "add"](session.participant);
      this.#draw();
    });
    return button;
  }

  #releaseButton(session: Session): HTMLElement {
    const button = make(
      "button",
      {
        type: "button",
        class: "small",
        "data-key": `release ${session.participant}`,
        "aria-label": `Give back ${session.participant}’s place`,
      },
      "Give back…",
    );
    button.addEventListener("click", () => this.#onRelease(session));
    return button;
  }
}

function problemRow(problems: readonly Problem[], now: Date): HTMLElement {
  const items = problems.map((one) => problem(one, now));
  return make(
    "tr",
    { class: "problems" },
    make("td", { colspan: String(HEADINGS.length + 1) }, make("ul", {}, ...items)),
  );
}

function problem(report: Problem, now: Date): HTMLElement {
  const where = report.trial_index === null ? "" : ` at trial ${report.trial_index + 1}`;
  return make(
    "li",
    {},
    time(report.at, now),
    make("strong", {}, `${PROBLEM_NAMES[report.kind]}${where}`),
    report.message,
  );
}

const time = (at: string, now: Date): HTMLElement => make("time", { datetime: at }, moment(new Date(at), now));

/** Redraw an element and restore the focus by `data-key`. */
function keepingFocus(element: HTMLElement, draw: () => void): void {
  const focused = document.activeElement;
  const key = focused instanceof HTMLElement && element.contains(focused) ? focused.dataset.key : undefined;
  draw();
  if (key !== undefined) {
    element.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }
}
