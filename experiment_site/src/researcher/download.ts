// The button that fetches all tables. A link could not carry the token.

import { make } from "../dom";

export function downloadButton(fileName: string, fetchData: () => Promise<Blob>): HTMLElement {
  const button = make("button", { type: "button", class: "primary" }, "Download the data");
  const outcome = make("p", { role: "status", class: "quiet" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    outcome.textContent = "The tables are being made…";
    try {
      save(await fetchData(), fileName);
      outcome.textContent = `${fileName} was handed to the browser.`;
    } catch (error) {
      outcome.textContent = `The data could not be had: ${(error as Error).message}`;
    } finally {
      button.disabled = false;
    }
  });
  return make(
    "div",
    {},
    make(
      "p",
      { class: "quiet" },
      "trials.csv and sessions.csv as they are now, as ",
      make("code", {}, "lwise data export"),
      " writes them.",
    ),
    button,
    outcome,
  );
}

function save(data: Blob, fileName: string): void {
  const url = URL.createObjectURL(data);
  make("a", { href: url, download: fileName }).click();
  // The browser needs the address until it has begun to write.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
