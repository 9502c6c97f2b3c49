// The researcher's token comes behind the # of the link, which no server ever sees, and stays in this tab.

const KEY = "researcher-token";

/** The token of this tab; one in the address is taken, and out of sight. null: there is none. */
export function takeToken(): string | null {
  const given = window.location.hash.slice(1);
  if (given !== "") {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", window.location.pathname);
  }
  return sessionStorage.getItem(KEY);
}
