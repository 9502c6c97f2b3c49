// The researcher's API over HTTP. Knows nothing of how results are shown.

import type { Overview, ReleaseReason, Session } from "./contract";

const TIMEOUT_MSEC = 20_000;
/** The tables of a large study take a while. */
const DATA_TIMEOUT_MSEC = 600_000;

/** The server does not know this token: it is wrong, or the server has restarted. */
export class Unauthorized extends Error {}

/** The server responded with an error; the message is the server's. */
export class RequestRejected extends Error {}

export class ResearcherApi {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  async overview(): Promise<Overview> {
    return (await this.#call("overview")).json();
  }

  /** Release the slot of a session; false if the session has already ended. */
  async release(session: Session, reason: ReleaseReason): Promise<boolean> {
    const { platform, assignment_id } = session;
    const body = JSON.stringify({ platform, assignment_id, reason });
    const answer = await this.#call("release", { method: "POST", body });
    return ((await answer.json()) as { released: boolean }).released;
  }

  /** A ZIP file of all tables. */
  async data(): Promise<Blob> {
    return (await this.#call("data", {}, DATA_TIMEOUT_MSEC)).blob();
  }

  async #call(name: string, request: RequestInit = {}, timeout = TIMEOUT_MSEC): Promise<Response> {
    const answer = await fetch(`api/researcher/${name}`, {
      ...request,
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(timeout),
    });
    if (answer.ok) {
      return answer;
    }
    const { error } = (await answer.json().catch(() => ({}))) as { error?: unknown };
    const message = typeof error === "string" ? error : `the server answered ${answer.status}`;
    throw answer.status === 401 ? new Unauthorized(message) : new RequestRejected(message);
  }
}
