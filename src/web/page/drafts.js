// Keeps unsent text and its recipients over a reload, in the session storage, which belongs to one tab: tabs do not overwrite each other's
// drafts, and a whisper does not stay in the browser for the next user of the machine.

import { load, store } from './storage.js';

export function storeDraft(text, names) {
  store('sessionStorage', 'draft', text || names.length ? { text, names } : null);
}

/** Returns `{ text, names }`, both empty if there is no draft. */
export function loadDraft() {
  const { text = '', names = [] } = load('sessionStorage', 'draft') ?? {};
  return { text, names };
}
