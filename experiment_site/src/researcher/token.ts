// The researcher's token is in the link's fragment, which browsers never send, and stays in this tab.

const KEY = "researcher-token";

/** The token of this tab, moved there from the address; null: none. */
export function takeToken(): string | null {
  const token = window.location.hash.slice(1);
  if (token !== "") {
    sessionStorage.setItem(KEY, token);
    history.replaceState(null, "", window.location.pathname);
  }
  return sessionStorage.getItem(KEY);
}
