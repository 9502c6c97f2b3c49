// The server's API over HTTP. Knows nothing of trials, queues or pages.

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

/** Long enough for a slow connection, short enough that a hung one does not stop the queue. */
const TIMEOUT_MSEC = 20_000;

/** A request failed: the server responded with an error or not at all. */
export class RequestFailed extends Error {
  constructor(
    /** null: no response. */
    readonly status: number | null,
    message: string,
    /** Trials that the server still lacks when it is asked for the screening or the end. */
    readonly missing: readonly number[] = [],
  ) {
    super(message);
    this.name = "RequestFailed";
  }

  /** Whether a retry may succeed. */
  get isTransient(): boolean {
    return this.status === null || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export const isTransient = (error: unknown): boolean => error instanceof RequestFailed && error.isTransient;

/** The study's pages and settings; does not start a session. */
export function fetchStudy(): Promise<StudyPage> {
  return call<StudyPage>("api/study", {});
}

/** Start a session, or resume the one of this assignment. */
export function startSession(request: SessionRequest): Promise<StartedSession> {
  return post<StartedSession>("api/sessions", request);
}

/** The API of a started session. */
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

  /** Report that the participant is still here. */
  heartbeat(): Promise<object> {
    return post<object>("api/heartbeat", {}, { token: this.#token });
  }

  reportProblem(problem: Problem): Promise<object> {
    return post<object>("api/problems", problem, { token: this.#token });
  }

  /** Submit an e-mail address, which the server stores apart from the answers. */
  submitEmail(email: string): Promise<object> {
    return post<object>("api/contact", { email }, { token: this.#token });
  }
}

function post<T>(url: string, body: unknown, options: { token?: string; keepalive?: boolean } = {}): Promise<T> {
  return call<T>(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
    },
    body: JSON.stringify(body),
    keepalive: options.keepalive ?? false,
  });
}

async function call<T>(url: string, request: RequestInit): Promise<T> {
  let response: Response;
  let content: unknown;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MSEC) });
    content = await response.json().catch((error: unknown) => {
      if (response.ok) {
        throw error;
      }
      return null;
    });
  } catch (error) {
    throw new RequestFailed(null, String(error));
  }
  if (!response.ok) {
    const { error, missing } = (content ?? {}) as { error?: unknown; missing?: unknown };
    throw new RequestFailed(
      response.status,
      typeof error === "string" ? error : `the server answered ${response.status}`,
      Array.isArray(missing) ? missing.filter((index) => Number.isInteger(index)) : [],
    );
  }
  return content as T;
}
