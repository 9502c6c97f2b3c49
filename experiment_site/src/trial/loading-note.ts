// Shows a note instead of a blank page while the image of a trial is still loading.

import { make } from "../dom";
import { strings } from "../strings";

/** Most images are loaded by then: a note that only flashes up would distract. */
const SILENT_MSEC = 300;
const LONG_MSEC = 10_000;

/** Wait for `image`, with a note on `display` if that takes a while. */
export async function whileLoading<T>(display: HTMLElement, image: Promise<T>): Promise<T> {
  const note = make("p", { class: "aside", role: "status", "data-testid": "loading-image" }, strings.loadingImage);
  const timers = [
    setTimeout(() => display.replaceChildren(note), SILENT_MSEC),
    setTimeout(() => {
      note.textContent = strings.stillLoadingImage;
    }, LONG_MSEC),
  ];
  try {
    return await image;
  } finally {
    timers.forEach(clearTimeout);
    note.remove();
  }
}
