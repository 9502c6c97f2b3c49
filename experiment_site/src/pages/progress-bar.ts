// A thin bar along the top of the window: how much of the study is done.

import { make } from "../dom";
import { strings } from "../strings";

export interface ProgressBar {
  readonly element: HTMLElement;
  /** Show this many trials as done. */
  readonly show: (done: number) => void;
}

export function progressBar(total: number): ProgressBar {
  const fill = make("div", { class: "fill" });
  const element = make(
    "div",
    {
      class: "progress",
      role: "progressbar",
      "aria-label": strings.progress,
      "aria-valuemin": "0",
      "aria-valuemax": `${total}`,
    },
    fill,
  );
  const show = (done: number) => {
    element.setAttribute("aria-valuenow", `${done}`);
    fill.style.transform = `scaleX(${done / total})`;
  };
  return { element, show };
}
