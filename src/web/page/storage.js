// Stores values in the browser, by the path of the page: one origin may serve several chats. If the browser refuses to store, everything
// else still works.

const PATH = new URL('.', location.href).pathname;

/** `area` is `localStorage` or `sessionStorage`. */
export function store(area, name, value) {
  try {
    globalThis[area].setItem(`chinwag.${name} ${PATH}`, JSON.stringify(value));
  } catch {
    // The browser refuses, or its storage is full.
  }
}

/** Removes a value. */
export function remove(area, name) {
  try {
    globalThis[area].removeItem(`chinwag.${name} ${PATH}`);
  } catch {
    // The browser refuses, and has stored nothing.
  }
}

/** The value stored under this name, or null. */
export function load(area, name) {
  try {
    return JSON.parse(globalThis[area].getItem(`chinwag.${name} ${PATH}`));
  } catch {
    return null;
  }
}
