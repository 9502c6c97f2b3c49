// The researcher's page: token, then news every few seconds.

import { make } from "../dom";
import { NoAccess, ResearcherApi } from "./api";
import { Live } from "./live";
import { notice, Page } from "./page";
import { takeToken } from "./token";

const EVERY_MSEC = 3_000;

const view = document.querySelector<HTMLElement>("#view") as HTMLElement;

function begin(): void {
  const token = takeToken();
  if (token === null) {
    showNoAccess();
    return;
  }
  const api = new ResearcherApi(token);
  const page = new Page(api, () => void live.now());
  const live = new Live(
    () => api.overview(),
    {
      onNews: (overview) => page.show(view, overview),
      onFailure: (error) => {
        if (error instanceof NoAccess) {
          live.stop();
          showNoAccess();
        } else {
          page.showUnreached(view, (error as Error).message);
        }
      },
    },
    EVERY_MSEC,
  );
  void live.now();
}

function showNoAccess(): void {
  document.title = "Researcher";
  view.replaceChildren(
    notice(
      "This link does not open the page",
      "Please use the whole link behind “Researcher's page” that ",
      make("code", {}, "lwise serve"),
      " has printed. Every start of the server makes a new one, and the earlier ones end.",
    ),
  );
}

// A new link pasted into the same tab changes the part behind the # only, and loads nothing by itself.
window.addEventListener("hashchange", () => window.location.reload());
begin();
