// The server's calls. Knows HTTP; knows nothing of trials, queues or pages.

import type {
  Response as Answer,
  Problem,
  Result,
  Screening,
  SessionRequest,
  StartedSession,
  Stored,
  StudyPage,
} from "../contract";

/** Longer than a slow phone line needs, short enough that a hung connection does not stop the queue. */
const TIMEOUT_MSEC = 20_000;

/** A request that was not answered with success. */
export class RequestFailed extends Error {
  constructor(
    /** null: no answer at all. */
    readonly status: number | null,
    message: string,
    /** Indices named in the answer to a screening or a finish that came too early. */
    readonly missing: readonly number[] = [],
  ) {
    super(message);
    this.name = "RequestFailed";
  }

  /** Whether the same request may succeed later. */
  get mayPass(): boolean {
    return this.status === null || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export const mayPass = (error: unknown): boolean => error instanceof RequestFailed && error.mayPass;

/** What the study says and asks for; takes no place in it. */
export function fetchStudy(): Promise<StudyPage> {
  return call<StudyPage>("api/study", {});
}

/** Begin a session, or take up the one that this assignment has. */
export function startSession(request: SessionRequest): Promise<StartedSession> {
  return post<StartedSession>("api/sessions", request);
}

/** The calls of a started session. */
export class SessionApi {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  /** `keepalive`: let the request outlive the page. */
  sendTrials(trials: readonly Answer[], keepalive = false): Promise<Stored> {
    return post<Stored>("api/trials", { trials }, { token: this.#token, keepalive });
  }

  screening(): Promise<Screening> {
    return post<Screening>("api/screening", {}, { token: this.#token });
  }

  finish(): Promise<Result> {
    return post<Result>("api/finish", {}, { token: this.#token });
  }

  /** Say that the participant is still here. */
  heartbeat(): Promise<object> {
    return post<object>("api/heartbeat", {}, { token: this.#token });
  }

  reportProblem(problem: Problem): Promise<object> {
    return post<object>("api/problems", problem, { token: this.#token });
  }

  /** Leave an address; the server keeps it apart from the answers. */
  leaveEmail(email: string): Promise<object> {
    return post<object>("api/contact", { email }, { token: this.#token });
  }
}

function post<T>(url: string, body: unknown, how: { token?: string; keepalive?: boolean } = {}): Promise<T> {
  return call<T>(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(how.token === undefined ? {} : { Authorization: `Bearer ${how.token}` }),
    },
    body: JSON.stringify(body),
    keepalive: how.keepalive ?? false,
  });
}

async function call<T>(url: string, request: RequestInit): Promise<T> {
  let answer: Response;
  let content: unknown;
  try {
    answer = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MSEC) });
    content = await answer.json().catch((error: unknown) => {
      if (answer.ok) {
        throw error;
      }
      return null;
    });
  } catch (error) {
    throw new RequestFailed(null, String(error));
  }
  if (!answer.ok) {
    const { error, missing } = (content ?? {}) as { error?: unknown; missing?: unknown };
    throw new RequestFailed(
      answer.status,
      typeof error === "string" ? error : `the server answered ${answer.status}`,
      Array.isArray(missing) ? missing.filter((index) => Number.isInteger(index)) : [],
    );
  }
  return content as T;
}
