// What the browser keeps for this page. Under one origin there may be several chats, each under a path of its own. A browser
// may refuse to keep anything; then everything else works.

const PATH = new URL('.', location.href).pathname;

/** `area` is `localStorage`, which stays, or `sessionStorage`, which is this tab's and survives a reload. */
export function keep(area, name, value) {
  try {
    globalThis[area].setItem(`chinwag.${name} ${PATH}`, JSON.stringify(value));
  } catch {
    // Refused or full.
  }
}

/** What was kept by this name, or null. */
export function recall(area, name) {
  try {
    return JSON.parse(globalThis[area].getItem(`chinwag.${name} ${PATH}`));
  } catch {
    return null;
  }
}
