// Keeps unsent text and its recipients over a reload. The session storage belongs to one tab: two tabs do not overwrite each
// other's draft, and a whisper does not stay in the browser for the next user of the machine.

import { keep, recall } from './storage.js';

export function keepDraft(text, names) {
  keep('sessionStorage', 'draft', text || names.length ? { text, names } : null);
}

/** Returns `{ text, names }`, both empty if there is no draft. */
export function recallDraft() {
  const { text = '', names = [] } = recall('sessionStorage', 'draft') ?? {};
  return { text, names };
}
