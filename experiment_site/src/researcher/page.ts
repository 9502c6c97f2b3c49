// The researcher's page: what is built once, and what every update redraws.

import { make } from "../dom";
import type { ResearcherApi } from "./api";
import { conditionTable } from "./conditions";
import type { Overview, Session } from "./contract";
import { downloadButton } from "./download";
import { linkList } from "./links";
import { numbers } from "./numbers";
import { askForRelease } from "./release";
import { SessionList } from "./sessions";
import { clock, RELEASE_NAMES } from "./words";

export class Page {
  readonly #api: ResearcherApi;
  readonly #onChange: () => void;
  readonly #reached = make("span", { role: "status" });
  readonly #updated = make("span", { "data-testid": "updated" });
  readonly #status = make("p", { class: "status" }, this.#reached, this.#updated);
  readonly #numbers = make("div");
  readonly #conditions = make("div", { class: "scroll" });
  readonly #platforms = make("p", { class: "quiet platforms" });
  readonly #sessions = new SessionList((session) => this.#ask(session));
  #isShown = false;

  /** `onChange` is called when the researcher has changed something that the next overview tells. */
  constructor(api: ResearcherApi, onChange: () => void) {
    this.#api = api;
    this.#onChange = onChange;
  }

  show(view: HTMLElement, overview: Overview): void {
    if (!this.#isShown) {
      this.#isShown = true;
      view.replaceChildren(...this.#frame(overview));
    }
    document.title = `${overview.total.finished} finished – ${overview.title}`;
    this.#numbers.replaceChildren(numbers(overview));
    this.#conditions.replaceChildren(conditionTable(overview));
    this.#platforms.textContent = platforms(overview);
    this.#sessions.update(overview.sessions);
    this.#status.className = "status reached";
    this.#reached.textContent = "Live";
    this.#updated.textContent = `updated ${clock(new Date())}`;
  }

  /** Say that the server does not respond; the page stays as it is. */
  showUnreachable(view: HTMLElement, message: string): void {
    if (!this.#isShown) {
      view.replaceChildren(notice("The server cannot be reached", `This page keeps trying. (${message})`));
      return;
    }
    this.#status.className = "status unreached";
    this.#reached.textContent = "The server cannot be reached; trying again";
  }

  #frame(overview: Overview): HTMLElement[] {
    return [
      make(
        "header",
        {},
        make("div", {}, make("h1", {}, overview.title), make("p", { class: "quiet" }, overview.study_id)),
        this.#status,
      ),
      this.#numbers,
      section("Conditions", this.#conditions, this.#platforms),
      section("Sessions", this.#sessions.element),
      section("Links for participants", linkList(overview.links)),
      section(
        "Data",
        downloadButton(`${overview.study_id}.zip`, () => this.#api.data()),
      ),
    ];
  }

  #ask(session: Session): void {
    askForRelease(session, async (reason) => {
      try {
        const released = await this.#api.release(session, reason);
        return released
          ? `Done: recorded as ${RELEASE_NAMES[reason]}.`
          : "The session has already ended; nothing was changed.";
      } catch (error) {
        return `Nothing was changed: ${(error as Error).message}`;
      } finally {
        this.#onChange();
      }
    });
  }
}

/** A page with a single message. */
export function notice(title: string, ...sentences: (string | Node)[]): HTMLElement {
  return make("section", { class: "notice" }, make("h1", {}, title), make("p", {}, ...sentences));
}

function section(title: string, ...content: HTMLElement[]): HTMLElement {
  return make("section", {}, make("h2", {}, title), ...content);
}

function platforms({ platforms, n_tried_out }: Overview): string {
  const parts = Object.entries(platforms).map(([platform, count]) => `${platform} ${count}`);
  const tried = n_tried_out > 0 ? [`tried out (test, not counted above) ${n_tried_out}`] : [];
  const all = [...parts, ...tried];
  return all.length === 0 ? "" : `Sessions by platform: ${all.join(" · ")}`;
}
