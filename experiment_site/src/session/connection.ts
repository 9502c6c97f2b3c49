// The line between a started session and the server: answers go out, signs of life too, problems are told. Knows nothing of
// what the participant sees.

import type { SessionRequest, StartedSession } from "../contract";
import { AnswerQueue } from "./answer-queue";
import { openAnswerStore } from "./answer-store";
import { SessionApi } from "./api";
import { Heartbeat } from "./heartbeat";
import { ProblemReports } from "./problems";

export interface Connection {
  readonly api: SessionApi;
  readonly queue: AnswerQueue;
  readonly problems: ProblemReports;
  /** Rejects once the server takes no more of this page; never resolves. */
  readonly refused: Promise<never>;
  /** No more signs of life: the session has ended. */
  close(): void;
}

export async function openConnection(
  { token, participant }: Pick<StartedSession, "token" | "participant">,
  request: SessionRequest,
): Promise<Connection> {
  const api = new SessionApi(token);
  const secrets = [token, request.assignment_id, request.worker_id ?? "", request.study_id ?? ""];
  const problems = new ProblemReports({ send: (problem) => api.reportProblem(problem), secrets });
  problems.watch(window);
  const heartbeat = new Heartbeat(() => api.heartbeat());
  const queue = await AnswerQueue.open({
    store: await openAnswerStore(participant),
    send: async (answers, keepalive) => {
      const stored = await api.sendTrials(answers, keepalive);
      heartbeat.skipNext();
      return stored;
    },
  });
  sendInTime(queue);
  const refused = Promise.race([queue.refused, heartbeat.lost]);
  refused.catch(() => {}); // as with each of them
  return { api, queue, problems, refused, close: () => heartbeat.stop() };
}

/** Send at once when the line is back, and what can be sent when the page is left. */
function sendInTime(queue: AnswerQueue): void {
  window.addEventListener("online", () => queue.hurry());
  window.addEventListener("pagehide", () => void queue.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      void queue.flush();
    }
  });
}
