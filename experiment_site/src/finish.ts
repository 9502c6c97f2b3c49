// The end of a session: everything sent, then completed on the server.

import { askOnceAllStored, followSending } from "./all-stored";
import type { AnswerQueue } from "./answer-queue";
import type { SessionApi } from "./api";
import type { Result } from "./contract";

/** Wait until every answer is stored, then complete the session. Completing it again gives the same result. */
export async function finishSession(view: HTMLElement, api: SessionApi, queue: AnswerQueue): Promise<Result> {
  followSending(view, queue);
  return askOnceAllStored(queue, () => api.finish());
}
