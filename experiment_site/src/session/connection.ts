// Connects a started session to the server: sends answers, heartbeats and problem reports. Knows nothing of what the
// participant sees.

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
  /** Rejects once the server accepts no more from this page; never resolves. */
  readonly refused: Promise<never>;
  /** Stop the heartbeat: the session has ended. */
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
  sendOnEvents(queue);
  const refused = Promise.race([queue.refused, heartbeat.lost]);
  refused.catch(() => {}); // no unhandled rejection while nobody awaits it yet
  return { api, queue, problems, refused, close: () => heartbeat.stop() };
}

/** Send at once when the connection is back, and as much as possible when the page closes. */
function sendOnEvents(queue: AnswerQueue): void {
  window.addEventListener("online", () => queue.retryNow());
  window.addEventListener("pagehide", () => void queue.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      void queue.flush();
    }
  });
}
