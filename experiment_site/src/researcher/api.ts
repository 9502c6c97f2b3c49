// The researcher's three calls. Knows HTTP; knows nothing of how the answers are shown.

import type { Overview, ReleaseReason, Session } from "./contract";

const TIMEOUT_MSEC = 20_000;
/** All tables of a large study take a while to make. */
const DATA_TIMEOUT_MSEC = 600_000;

/** The server does not know this token: it is wrong, or the server was started anew since. */
export class NoAccess extends Error {}

/** The server answered, but not with success; the message is the server's. */
export class Refused extends Error {}

export class ResearcherApi {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  async overview(): Promise<Overview> {
    return (await this.#call("overview")).json();
  }

  /** Give the place of a session back; false if it is not under way any more. */
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
    throw answer.status === 401 ? new NoAccess(message) : new Refused(message);
  }
}
