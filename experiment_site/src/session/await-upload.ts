// What the server decides only once it has every answer so far: the screening in the middle of a session, and its end.

import type { Result } from "../contract";
import { showSending } from "../pages/pages";
import type { AnswerQueue } from "./answer-queue";
import { isTransient, RequestFailed, type SessionApi } from "./api";
import { retry } from "./back-off";

/** Most screenings take less: a page that only flashes up would distract. */
const SILENT_MSEC = 1_000;

/** Wait until every answer is stored, then complete the session. Completing it again gives the same result. */
export async function finishSession(view: HTMLElement, api: SessionApi, queue: AnswerQueue): Promise<Result> {
  showUpload(view, queue);
  return afterUpload(queue, () => api.finish());
}

/** Whether the participant passes the screening; asking again gives the same answer. */
export async function passesScreening(view: HTMLElement, api: SessionApi, queue: AnswerQueue): Promise<boolean> {
  let hideUpload = () => {};
  const silence = setTimeout(() => {
    hideUpload = showUpload(view, queue);
  }, SILENT_MSEC);
  try {
    const { passed } = await afterUpload(queue, () => api.screening());
    return passed;
  } finally {
    clearTimeout(silence);
    hideUpload();
  }
}

/** Wait until every answer is stored, then ask; answers that the server still lacks are sent again. */
async function afterUpload<T>(queue: AnswerQueue, ask: () => Promise<T>): Promise<T> {
  queue.retryNow();
  for (;;) {
    await queue.whenEmpty();
    try {
      return await retry(ask, { isTransient });
    } catch (error) {
      const missing = error instanceof RequestFailed && error.status === 409 ? error.missing : [];
      if (missing.length === 0 || !(await queue.resend(missing))) {
        throw error;
      }
    }
  }
}

/** Show how many answers are still to be sent, until the returned function is called. */
function showUpload(view: HTMLElement, queue: AnswerQueue): () => void {
  const show = showSending(view);
  queue.onChange = show;
  show(queue.waiting.size);
  return () => {
    queue.onChange = () => {};
  };
}
