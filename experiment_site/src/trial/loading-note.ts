// What the participant sees in place of a trial whose picture is still on its way: after a moment a note, never a blank page.

import { make } from "../dom";
import { strings } from "../strings";

/** Most pictures are there by then: a note that only flashes up would distract. */
const SILENT_MSEC = 300;
const LONG_MSEC = 10_000;

/** Wait for `picture`, and say so on `display` if that takes a while. */
export async function whileLoading<T>(display: HTMLElement, picture: Promise<T>): Promise<T> {
  const note = make("p", { class: "aside", role: "status", "data-testid": "loading-picture" }, strings.loadingPicture);
  const timers = [
    setTimeout(() => display.replaceChildren(note), SILENT_MSEC),
    setTimeout(() => {
      note.textContent = strings.stillLoadingPicture;
    }, LONG_MSEC),
  ];
  try {
    return await picture;
  } finally {
    timers.forEach(clearTimeout);
    note.remove();
  }
}
