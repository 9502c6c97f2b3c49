// Parses the participant's link: platform, participant, session. The only module that knows the link's parameters.

import type { SessionRequest } from "../contract";
import { submissionAddress } from "./return-link";

export type Link =
  /** Names no platform. */
  | { readonly kind: "preview" }
  /** Mechanical Turk's preview of a task that is not yet accepted. */
  | { readonly kind: "not_accepted" }
  | { readonly kind: "incomplete"; readonly parameter: string }
  | {
      readonly kind: "participant";
      readonly request: SessionRequest;
      /** Where the finished task is submitted by a form; null: nowhere. */
      readonly submitTo: string | null;
      /** The query string that resumes this session after a reload. */
      readonly search: string;
    };

/** Platforms with session ids of their own; an invented id would separate the data from the person paid. */
const PLATFORMS_WITH_SESSION_ID: ReadonlySet<string> = new Set(["prolific"]);

/** Parse a link; `newId` makes an id for a link that has none. */
export function parseLink(search: string, newId: () => string): Link {
  const parameters = new URLSearchParams(search);
  const platform = valueIn(parameters, "PLATFORM");
  if (platform === null) {
    return { kind: "preview" };
  }
  return platform === "mturk" ? mturkLink(parameters) : ownLink(parameters, platform, newId);
}

/** The value of the first parameter that is not empty. */
function valueIn(parameters: URLSearchParams, ...names: string[]): string | null {
  return names.map((name) => parameters.get(name)?.trim()).find(Boolean) ?? null;
}

/** A link with this page's own parameters. */
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

/** Mechanical Turk appends its own parameters. Without one of them the work could not be submitted. */
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

/** 128 random bits. Not `crypto.randomUUID`, which browsers offer over https only: a lab's server often has plain http. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
