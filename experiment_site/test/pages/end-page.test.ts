// @vitest-environment happy-dom
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Result } from "../../src/contract";
import { type End, showEnd } from "../../src/pages/end-page";
import { RequestFailed } from "../../src/session/api";
import { strings } from "../../src/strings";

const result: Result = {
  state: "completed",
  code: null,
  n_trials: 10,
  n_correct: 8,
  accuracy: 0.8,
  bonus_usd: 1.2,
};
const texts = { consent: null, task: null, test: null, done: null, screened_out: null };
const view = document.createElement("main");

beforeEach(() => {
  document.body.replaceChildren(view);
});

function show(changes: Partial<End>): void {
  const request = { platform: "test", assignment_id: "a-1" };
  showEnd(view, { result, texts, request, submitTo: null, submitEmail: null, ...changes });
}

const find = <E extends HTMLElement>(testId: string) => view.querySelector<E>(`[data-testid="${testId}"]`);
const said = () => view.textContent ?? "";

describe("who has completed the study", () => {
  test("sees score, bonus and the study's own thanks", () => {
    show({ texts: { ...texts, done: "<p>Bye</p>", screened_out: "<p>Sorry</p>" } });
    expect(find("done")).not.toBeNull();
    expect(said()).toContain(strings.score(result));
    expect(said()).toContain(strings.bonus(result));
    expect(said()).toContain("Bye");
    expect(said()).not.toContain("Sorry");
  });

  test("and gets no code has nothing left to do", () => {
    show({ request: { platform: "prolific", assignment_id: "a-1" } });
    expect(said()).toContain(strings.close);
    expect(find("code")).toBeNull();
    expect(find("return-link")).toBeNull();
  });
});

describe("who was screened out", () => {
  const screenedOut: Result = { ...result, state: "screened_out" };

  test("sees the study's page for it, neither score nor bonus", () => {
    show({ result: screenedOut, texts: { ...texts, done: "<p>Bye</p>", screened_out: "<p>Sorry</p>" } });
    expect(find("screened-out")).not.toBeNull();
    expect(find("done")).toBeNull();
    expect(said()).toContain("Sorry");
    expect(said()).not.toContain("Bye");
    expect(view.querySelector(".fact")).toBeNull();
  });

  test("is thanked in the page's own words where the study has none", () => {
    show({ result: screenedOut, texts: { ...texts, done: "<p>Bye</p>" } });
    expect(said()).toContain(strings.screenedOut);
    expect(view.querySelector(".fact")).toBeNull();
  });
});

describe.each(["completed", "screened_out"] as const)("who gets a code (%s)", (state) => {
  test("sees it, and is not asked to close the page first", () => {
    show({ result: { ...result, state, code: "C1 & <b>" } });
    expect(find("code")?.textContent).toBe("C1 & <b>");
    expect(said()).toContain(strings.enterCode);
    expect(said()).not.toContain(strings.close);
    expect(find("return-link")).toBeNull();
  });

  test("takes it back to Prolific with a link", () => {
    show({
      result: { ...result, state, code: "C1 & <b>" },
      request: { platform: "prolific", assignment_id: "a-1" },
    });
    expect(find("return-link")?.getAttribute("href")).toBe(
      "https://app.prolific.com/submissions/complete?cc=C1%20%26%20%3Cb%3E",
    );
  });
});

describe.each(["completed", "screened_out"] as const)("who came from Mechanical Turk (%s)", (state) => {
  const submitTo = "https://www.mturk.com/mturk/externalSubmit";

  test("submits the task with a form, not a code, and is not asked to close the page first", () => {
    show({ result: { ...result, state, code: "C1" }, submitTo });
    const form = find<HTMLFormElement>("submission");
    expect(form?.method).toBe("post");
    expect(form?.getAttribute("action")).toBe(submitTo);
    expect([...new FormData(form ?? undefined)]).toEqual([
      ["assignmentId", "a-1"],
      ["state", state],
    ]);
    expect(find("submit")?.getAttribute("type")).toBe("submit");
    expect(find("code")).toBeNull();
    expect(said()).not.toContain(strings.close);
  });
});

test("an abandoned session shows why, with neither code nor thanks", () => {
  show({
    result: { ...result, state: "abandoned", code: "C1" },
    texts: { ...texts, done: "<p>Bye</p>" },
    submitTo: "https://www.mturk.com/mturk/externalSubmit",
    submitEmail: async () => {},
  });
  expect(find("abandoned")).not.toBeNull();
  expect(said()).not.toContain("Bye");
  expect(view.querySelectorAll("form, .code, .fact")).toHaveLength(0);
});

describe("the address that one may leave", () => {
  async function leave(email: string, submitEmail: End["submitEmail"]): Promise<void> {
    show({ submitEmail });
    const field = find<HTMLInputElement>("email") ?? expect.fail("no field");
    field.value = email;
    find("contact")?.dispatchEvent(new Event("submit", { cancelable: true }));
    await new Promise((resolve) => setTimeout(resolve));
  }

  test("is brought to the server, and thanked for", async () => {
    const submitEmail = vi.fn(async () => {});
    await leave(" me@example.org ", submitEmail);
    expect(submitEmail).toHaveBeenCalledExactlyOnceWith("me@example.org");
    expect(find("email-stored")?.textContent).toBe(strings.emailStored("me@example.org"));
  });

  test.each(["", "me", "me@"])("is not sent if it is none (%j)", async (email) => {
    const submitEmail = vi.fn(async () => {});
    await leave(email, submitEmail);
    expect(submitEmail).not.toHaveBeenCalled();
    expect(said()).toContain(strings.emailInvalid);
    expect(find("email")?.getAttribute("aria-invalid")).toBe("true");
  });

  test.each([
    ["the server refuses it", new RequestFailed(400, "no address"), strings.emailInvalid],
    ["the line is down", new RequestFailed(null, "offline"), strings.emailNotSent],
  ])("may be sent again where %s", async (_, failure, sentence) => {
    await leave("me@example.org", () => Promise.reject(failure));
    expect(said()).toContain(sentence);
    expect(find<HTMLButtonElement>("email-send")?.disabled).toBe(false);
  });

  test("is not asked for where the study does not want it, nor after a screening", () => {
    show({});
    expect(find("contact")).toBeNull();
    show({ result: { ...result, state: "screened_out" }, submitEmail: async () => {} });
    expect(find("contact")).toBeNull();
  });
});
