import { describe, expect, test } from "vitest";
import { parseLink, randomId } from "../../src/session/link";

const parse = (search: string) => parseLink(search, () => "fresh");

test("a link without a platform is a preview", () => {
  expect(parse("")).toEqual({ kind: "preview" });
  expect(parse("?PLATFORM=&PID=a")).toEqual({ kind: "preview" });
});

describe("a link from Prolific", () => {
  const request = {
    platform: "prolific",
    assignment_id: "s",
    worker_id: "p",
    study_id: "t",
    trialset_id: null,
  };

  test.each(["PID", "PROLIFIC_PID"])("names worker (as %s), study and session", (name) => {
    expect(parse(`?PLATFORM=prolific&${name}=p&STUDY_ID=t&SESSION_ID=s`)).toMatchObject({
      kind: "participant",
      request,
    });
  });

  test("without its session is refused, not given an invented one", () => {
    expect(parse("?PLATFORM=prolific&PID=p")).toEqual({ kind: "incomplete", parameter: "SESSION_ID" });
  });

  test("cannot ask for a trial set", () => {
    expect(parse("?PLATFORM=prolific&PID=p&STUDY_ID=t&SESSION_ID=s&TRIALSET_ID=3")).toMatchObject({ request });
  });
});

describe("a link without an assignment", () => {
  test("gets a new one, under which a reload is the same session", () => {
    const link = parse("?PLATFORM=inperson");
    expect(link).toMatchObject({
      request: { assignment_id: "fresh" },
      search: "?PLATFORM=inperson&ASSIGNMENT_ID=fresh",
    });
    const reloaded = parseLink(link.kind === "participant" ? link.search : "", () => "another");
    expect(reloaded).toEqual(link);
  });

  test("keeps its other parameters", () => {
    expect(parse("?PLATFORM=test&TRIALSET_ID=7")).toMatchObject({
      request: { trialset_id: 7 },
      search: "?PLATFORM=test&TRIALSET_ID=7&ASSIGNMENT_ID=fresh",
    });
  });
});

test.each(["-1", "1.5", "abc", "99999999999"])("%s is no trial set", (value) => {
  expect(parse(`?PLATFORM=test&TRIALSET_ID=${value}`)).toEqual({ kind: "incomplete", parameter: "TRIALSET_ID" });
});

test("random ids are long and differ", () => {
  expect(randomId()).toMatch(/^[0-9a-f]{32}$/);
  expect(randomId()).not.toBe(randomId());
});

describe("a link from Mechanical Turk", () => {
  const own = "assignmentId=a&hitId=h&workerId=w";
  const link = (turkSubmitTo: string) => `?PLATFORM=mturk&${own}&turkSubmitTo=${encodeURIComponent(turkSubmitTo)}`;

  test("names assignment, worker and HIT in Mechanical Turk's words", () => {
    expect(parse(link("https://www.mturk.com"))).toMatchObject({
      kind: "participant",
      request: { platform: "mturk", assignment_id: "a", worker_id: "w", study_id: "h", trialset_id: null },
    });
  });

  test("is a preview until the task is accepted", () => {
    expect(parse("?PLATFORM=mturk&assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=h")).toEqual({ kind: "not_accepted" });
  });

  test.each(["https://www.mturk.com", "https://www.mturk.com/", "https://workersandbox.mturk.com"])(
    "hands in at %s",
    (site) => {
      expect(parse(link(site))).toMatchObject({ submitTo: `${site.replace(/\/$/, "")}/mturk/externalSubmit` });
    },
  );

  test.each([
    "",
    "http://www.mturk.com",
    "https://www.mturk.com.example.org",
    "https://example.org/https://www.mturk.com",
    "https://www.mturk.com@example.org",
    "https://www.mturk.com/elsewhere",
    "https://www.mturk.com//",
    "https://evil.mturk.com",
    "javascript:alert(1)",
  ])("hands in nowhere else (%j)", (site) => {
    expect(parse(link(site))).toEqual({ kind: "incomplete", parameter: "turkSubmitTo" });
  });

  test("without its assignment is refused, not given an invented one", () => {
    expect(parse("?PLATFORM=mturk&turkSubmitTo=https://www.mturk.com")).toEqual({
      kind: "incomplete",
      parameter: "assignmentId",
    });
  });
});

test("only Mechanical Turk's participants hand anything in", () => {
  expect(parse("?PLATFORM=inperson&ASSIGNMENT_ID=a&turkSubmitTo=https://www.mturk.com")).toMatchObject({
    submitTo: null,
  });
});

test("the session and the participant have one name where a link has two", () => {
  const link = parse("?PLATFORM=prolific&SESSION_ID=s&ASSIGNMENT_ID=a&PID=p&PROLIFIC_PID=q");
  expect(link).toMatchObject({ request: { assignment_id: "s", worker_id: "p" } });
});

test("spaces around a value do not count, and a value of spaces is none", () => {
  expect(parse("?PLATFORM=%20prolific%20&PID=%20p&SESSION_ID=s%20&STUDY_ID=%20%20")).toMatchObject({
    request: { platform: "prolific", assignment_id: "s", worker_id: "p", study_id: null },
  });
});
