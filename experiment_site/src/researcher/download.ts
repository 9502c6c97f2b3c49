// The button that downloads all tables. A plain link could not carry the token.

import { make } from "../dom";

export function downloadButton(fileName: string, fetchData: () => Promise<Blob>): HTMLElement {
  const button = make("button", { type: "button", class: "primary" }, "Download the data");
  const outcome = make("p", { role: "status", class: "quiet" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    outcome.textContent = "Preparing the tables…";
    try {
      save(await fetchData(), fileName);
      outcome.textContent = `Downloaded ${fileName}.`;
    } catch (error) {
      outcome.textContent = `The download failed: ${(error as Error).message}`;
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
  // The browser needs the address until it has started to write.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
