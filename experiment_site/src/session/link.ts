// Reads the link that brought the participant here: who they are, on which platform, which session. The only place that
// knows the link's parameter names.

import type { SessionRequest } from "../contract";
import { submissionAddress } from "./return-link";

export type Link =
  /** Names no platform. */
  | { readonly kind: "preview" }
  /** Mechanical Turk's own preview: the task is looked at, not yet accepted. */
  | { readonly kind: "not_accepted" }
  | { readonly kind: "incomplete"; readonly parameter: string }
  | {
      readonly kind: "participant";
      readonly request: SessionRequest;
      /** Where a form hands the finished task in; null: nowhere. */
      readonly submitTo: string | null;
      /** The query string under which a reload is the same session. */
      readonly search: string;
    };

/** Platforms that give every session an id of their own; inventing one would cut the data from the person paid. */
const PLATFORMS_WITH_SESSION_ID: ReadonlySet<string> = new Set(["prolific"]);

/** Understand a link; `newId` is called when the link is a fresh opening without a session id. */
export function parseLink(search: string, newId: () => string): Link {
  const parameters = new URLSearchParams(search);
  const platform = valueIn(parameters, "PLATFORM");
  if (platform === null) {
    return { kind: "preview" };
  }
  return platform === "mturk" ? mturkLink(parameters) : ownLink(parameters, platform, newId);
}

/** The first of some parameters that says something. */
function valueIn(parameters: URLSearchParams, ...names: string[]): string | null {
  return names.map((name) => parameters.get(name)?.trim()).find(Boolean) ?? null;
}

/** A link in this page's words, which the platform fills in. */
function ownLink(parameters: URLSearchParams, platform: string, newId: () => string): Link {
  const trialset = valueIn(parameters, "TRIALSET_ID");
  if (platform === "test" && trialset !== null && !/^\d{1,9}$/.test(trialset)) {
    return { kind: "incomplete", parameter: "TRIALSET_ID" };
  }
  let assignment = valueIn(parameters, "SESSION_ID", "ASSIGNMENT_ID");
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
      worker_id: valueIn(parameters, "PID", "PROLIFIC_PID"),
      study_id: valueIn(parameters, "STUDY_ID"),
      trialset_id: platform === "test" && trialset !== null ? Number(trialset) : null,
    },
    submitTo: null,
    search: `?${parameters}`,
  };
}

/** Mechanical Turk adds parameters of its own to the link. Without one of them the work could not be handed in. */
function mturkLink(parameters: URLSearchParams): Link {
  const assignment = valueIn(parameters, "assignmentId");
  if (assignment === "ASSIGNMENT_ID_NOT_AVAILABLE") {
    return { kind: "not_accepted" };
  }
  const submitTo = submissionAddress(valueIn(parameters, "turkSubmitTo"));
  if (assignment === null || submitTo === null) {
    return { kind: "incomplete", parameter: assignment === null ? "assignmentId" : "turkSubmitTo" };
  }
  return {
    kind: "participant",
    request: {
      platform: "mturk",
      assignment_id: assignment,
      worker_id: valueIn(parameters, "workerId"),
      study_id: valueIn(parameters, "hitId"),
      trialset_id: null,
    },
    submitTo,
    search: `?${parameters}`,
  };
}

/** 128 random bits. Not `crypto.randomUUID`: a lab's own server is often plain http, where browsers do not offer it. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
