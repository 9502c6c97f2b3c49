// Asking the server what it answers only once it has every answer so far, and saying that the participant waits for this.

import type { AnswerQueue } from "./answer-queue";
import { mayPass, RequestFailed } from "./api";
import { persistently } from "./back-off";
import { showSending } from "./pages";

/** Wait until every answer is stored, then ask; what the server misses nevertheless is sent again. */
export async function askOnceAllStored<T>(queue: AnswerQueue, ask: () => Promise<T>): Promise<T> {
  queue.hurry();
  for (;;) {
    await queue.whenEmpty();
    try {
      return await persistently(ask, { mayPass });
    } catch (error) {
      const missing = error instanceof RequestFailed && error.status === 409 ? error.missing : [];
      if (missing.length === 0 || !(await queue.resend(missing))) {
        throw error;
      }
    }
  }
}

/** Show how many answers are on their way; call what it returns to follow the queue no longer. */
export function followSending(view: HTMLElement, queue: AnswerQueue): () => void {
  const show = showSending(view);
  queue.onChange = show;
  show(queue.waiting.size);
  return () => {
    queue.onChange = () => {};
  };
}
