// What was written and not sent, with whom it is for. It survives a reload. It is kept for the tab alone: two tabs have two
// drafts, and a whisper does not stay in the browser for whoever uses it next.

import { keep, recall } from './storage.js';

export function keepDraft(text, names) {
  keep('sessionStorage', 'draft', text || names.length ? { text, names } : null);
}

/** `{ text, names }`; both are empty if there is none. */
export function recallDraft() {
  const { text = '', names = [] } = recall('sessionStorage', 'draft') ?? {};
  return { text, names };
}
