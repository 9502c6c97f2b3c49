// The researcher's page: reads the token, then polls the overview every few seconds.

import { make } from "../dom";
import { ResearcherApi, Unauthorized } from "./api";
import { notice, Page } from "./page";
import { Poller } from "./poller";
import { takeToken } from "./token";

const INTERVAL_MSEC = 3_000;

const view = document.querySelector<HTMLElement>("#view") as HTMLElement;

function start(): void {
  const token = takeToken();
  if (token === null) {
    showUnauthorized();
    return;
  }
  const api = new ResearcherApi(token);
  const page = new Page(api, () => void live.now());
  const live = new Poller(
    () => api.overview(),
    {
      onResult: (overview) => page.show(view, overview),
      onFailure: (error) => {
        if (error instanceof Unauthorized) {
          live.stop();
          showUnauthorized();
        } else {
          page.showUnreachable(view, (error as Error).message);
        }
      },
    },
    INTERVAL_MSEC,
  );
  void live.now();
}

function showUnauthorized(): void {
  document.title = "Researcher";
  view.replaceChildren(
    notice(
      "This link does not open the page",
      "Please use the whole link behind “Researcher's page” that ",
      make("code", {}, "lwise serve"),
      " has printed. Each start of the server makes a new link, and earlier ones no longer work.",
    ),
  );
}

// A new link pasted into the same tab changes the part behind the # only, and loads nothing by itself.
window.addEventListener("hashchange", () => window.location.reload());
start();
