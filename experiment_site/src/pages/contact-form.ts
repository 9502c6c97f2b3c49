// A small form in which a participant may leave an e-mail address. Nothing depends on it.

import { make } from "../dom";
import { RequestFailed } from "../session/api";
import { strings } from "../strings";

/** `leave` brings the address to the server, and rejects where it could not. */
export function contactForm(leave: (email: string) => Promise<unknown>): HTMLFormElement {
  const field = make("input", {
    id: "email",
    type: "email",
    autocomplete: "email",
    maxlength: "254",
    "aria-describedby": "email-note",
    "data-testid": "email",
  });
  const button = make("button", { type: "submit", class: "secondary", "data-testid": "email-send" }, strings.emailSend);
  const note = make("p", { id: "email-note", class: "quiet", role: "status" }, strings.emailKeptApart);
  const form = make(
    "form",
    { class: "contact", "data-testid": "contact", novalidate: "" },
    make("label", { for: "email" }, strings.emailLabel),
    make("div", { class: "line" }, field, button),
    note,
  );
  const complain = (sentence: string) => {
    note.textContent = sentence;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const email = field.value.trim();
    if (email === "" || !field.validity.valid) {
      complain(strings.emailInvalid);
      return;
    }
    button.disabled = true;
    try {
      await leave(email);
      form.replaceChildren(make("p", { "data-testid": "email-kept", role: "status" }, strings.emailKept(email)));
    } catch (error) {
      const isRefused = error instanceof RequestFailed && error.status === 400;
      complain(isRefused ? strings.emailInvalid : strings.emailNotSent);
      button.disabled = false;
    }
  });
  return form;
}
