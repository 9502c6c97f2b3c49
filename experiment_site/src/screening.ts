// The screening in the middle of a session: everything sent, then the server decides whether the participant goes on.

import { askOnceAllStored, followSending } from "./all-stored";
import type { AnswerQueue } from "./answer-queue";
import type { SessionApi } from "./api";

/** Most screenings are over sooner: a page that only flashes up would puzzle. */
const SILENT_MSEC = 1_000;

/** Whether the participant goes on; asking again gives the same answer. */
export async function passesScreening(view: HTMLElement, api: SessionApi, queue: AnswerQueue): Promise<boolean> {
  let unfollow = () => {};
  const silence = setTimeout(() => {
    unfollow = followSending(view, queue);
  }, SILENT_MSEC);
  try {
    const { passed } = await askOnceAllStored(queue, () => api.screening());
    return passed;
  } finally {
    clearTimeout(silence);
    unfollow();
  }
}
