// The end of a session: everything sent, then completed on the server.

import type { AnswerQueue } from "./answer-queue";
import { mayPass, RequestFailed, type SessionApi } from "./api";
import { persistently } from "./back-off";
import type { Result } from "./contract";
import { showSending } from "./pages";

/** Wait until every answer is stored, then complete the session. Completing it again gives the same result. */
export async function finishSession(view: HTMLElement, api: SessionApi, queue: AnswerQueue): Promise<Result> {
  const show = showSending(view);
  queue.onChange = show;
  show(queue.waiting.size);
  queue.hurry();
  for (;;) {
    await queue.whenEmpty();
    try {
      return await persistently(() => api.finish(), { mayPass });
    } catch (error) {
      const missing = error instanceof RequestFailed && error.status === 409 ? error.missing : [];
      if (missing.length === 0 || !(await queue.resend(missing))) {
        throw error;
      }
    }
  }
}
