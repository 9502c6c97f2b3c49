// Asks for confirmation before a slot is released.

import { make } from "../dom";
import type { ReleaseReason, Session } from "./contract";

/** Ask about one session; `release` does it and returns a message about the result. */
export function askForRelease(session: Session, release: (reason: ReleaseReason) => Promise<string>): void {
  const choice = (reason: ReleaseReason, name: string, meaning: string) => {
    const input = make("input", { type: "radio", name: "reason", value: reason, required: "" });
    return make("label", {}, input, make("span", {}, make("strong", {}, name), ` – ${meaning}`));
  };
  const cancel = make("button", { type: "button" }, "Cancel");
  const confirm = make("button", { type: "submit", class: "primary" }, "Give the place back");
  const outcome = make("p", { role: "status", class: "quiet" });
  const form = make(
    "form",
    {},
    make("h2", { id: "release-title" }, "Give this place back?"),
    make("p", {}, make("span", { class: "id" }, session.participant), ` (${session.platform}) has not finished.`),
    make(
      "fieldset",
      {},
      make("legend", {}, "What does the platform say?"),
      choice("returned", "Returned", "the participant returned the task"),
      choice("timed_out", "Timed out", "the participant took too long"),
    ),
    make(
      "p",
      { class: "quiet" },
      "The next participant gets the place. Answers so far stay stored. This cannot be undone.",
    ),
    make("div", { class: "buttons" }, cancel, confirm),
    outcome,
  );
  const dialog = make("dialog", { "aria-labelledby": "release-title" }, form);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    outcome.textContent = await release(new FormData(form).get("reason") as ReleaseReason);
    confirm.hidden = true;
    cancel.textContent = "Close";
    cancel.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}
