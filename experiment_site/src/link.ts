// Reads the link that brought the participant here: who they are, on which platform, which session. The only place that
// knows the link's parameter names.

import type { SessionRequest } from "./contract";

export type Link =
  | { readonly kind: "preview" }
  | { readonly kind: "incomplete"; readonly parameter: string }
  | {
      readonly kind: "participant";
      readonly request: SessionRequest;
      /** The query string under which a reload is the same session. */
      readonly search: string;
    };

/** Platforms that give every session an id of their own; inventing one would cut the data from the person paid. */
const PLATFORMS_WITH_SESSION_ID: ReadonlySet<string> = new Set(["prolific"]);

/** Understand a link; `newId` is called when the link is a fresh opening without a session id. */
export function parseLink(search: string, newId: () => string): Link {
  const parameters = new URLSearchParams(search);
  const value = (...names: string[]) => names.map((name) => parameters.get(name)?.trim()).find(Boolean) ?? null;
  const platform = value("PLATFORM");
  if (platform === null) {
    return { kind: "preview" };
  }
  const trialset = value("TRIALSET_ID");
  if (platform === "test" && trialset !== null && !/^\d{1,9}$/.test(trialset)) {
    return { kind: "incomplete", parameter: "TRIALSET_ID" };
  }
  let assignment = value("SESSION_ID", "ASSIGNMENT_ID");
  if (assignment === null) {
    if (PLATFORMS_WITH_SESSION_ID.has(platform)) {
      return { kind: "incomplete", parameter: "SESSION_ID" };
    }
    assignment = newId();
    parameters.set("ASSIGNMENT_ID", assignment);
  }
  return {
    kind: "participant",
    request: {
      platform,
      assignment_id: assignment,
      worker_id: value("PID", "PROLIFIC_PID"),
      study_id: value("STUDY_ID"),
      trialset_id: platform === "test" && trialset !== null ? Number(trialset) : null,
    },
    search: `?${parameters}`,
  };
}

/** 128 random bits. Not `crypto.randomUUID`: a lab's own server is often plain http, where browsers do not offer it. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
