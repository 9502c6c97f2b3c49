// An optional form for an e-mail address.

import { make } from "../dom";
import { RequestFailed } from "../session/api";
import { strings } from "../strings";

/** `submit` sends the address to the server and rejects if that fails. */
export function contactForm(submit: (email: string) => Promise<unknown>): HTMLFormElement {
  const field = make("input", {
    id: "email",
    type: "email",
    autocomplete: "email",
    maxlength: "254",
    "aria-describedby": "email-note",
    "data-testid": "email",
  });
  const button = make("button", { type: "submit", class: "secondary", "data-testid": "email-send" }, strings.emailSend);
  const note = make("p", { id: "email-note", class: "quiet", role: "status" }, strings.emailStoredApart);
  const form = make(
    "form",
    { class: "contact", "data-testid": "contact", novalidate: "" },
    make("label", { for: "email" }, strings.emailLabel),
    make("div", { class: "line" }, field, button),
    note,
  );
  const showProblem = (sentence: string) => {
    note.textContent = sentence;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const email = field.value.trim();
    if (email === "" || !field.validity.valid) {
      showProblem(strings.emailInvalid);
      return;
    }
    button.disabled = true;
    try {
      await submit(email);
      form.replaceChildren(make("p", { "data-testid": "email-stored", role: "status" }, strings.emailStored(email)));
    } catch (error) {
      const isRejected = error instanceof RequestFailed && error.status === 400;
      showProblem(isRejected ? strings.emailInvalid : strings.emailNotSent);
      button.disabled = false;
    }
  });
  return form;
}
