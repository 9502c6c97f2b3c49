// The link for every platform, each with a button that copies it.

import { make } from "../dom";
import type { PlatformLink } from "./contract";

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function linkList(links: readonly PlatformLink[]): HTMLElement {
  return make(
    "div",
    {},
    ...(LOOPBACK.has(window.location.hostname) ? [onlyHere()] : []),
    make("ul", { class: "links" }, ...links.map(item)),
  );
}

function onlyHere(): HTMLElement {
  return make(
    "p",
    { class: "quiet" },
    "These links work on this machine only. To let others in, start the server with ",
    make("code", {}, "--host 0.0.0.0"),
    " and open this page under the address that it prints.",
  );
}

function item({ platform, url, purpose }: PlatformLink): HTMLElement {
  const field = make("input", { type: "text", readonly: "", value: url, "aria-label": `Link for ${platform}` });
  field.addEventListener("focus", () => field.select());
  const button = make(
    "button",
    { type: "button", class: "copy", "aria-label": `Copy the link for ${platform}` },
    "Copy",
  );
  button.addEventListener("click", async () => {
    button.textContent = (await copy(field)) ? "Copied" : "Press Ctrl-C";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2_000);
  });
  return make(
    "li",
    {},
    make("p", {}, make("strong", {}, platform), make("span", { class: "quiet" }, ` ${purpose}`)),
    make("div", { class: "copying" }, field, button),
  );
}

async function copy(field: HTMLInputElement): Promise<boolean> {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // Over plain http, browsers offer only the old way.
    return document.execCommand("copy");
  }
}
