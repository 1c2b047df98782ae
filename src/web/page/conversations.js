// The conversations of all rooms, and the one that the page shows.

import { Conversation } from './conversation.js';
import { Draft } from './drafts.js';

export class Conversations {
  current = null;
  #log;
  #draftChanged;
  /** The conversations by their rooms. */
  #all = new Map();

  /** `draftChanged(draft)` is called when the recipients of a draft change. */
  constructor(log, draftChanged) {
    this.#log = log;
    this.#draftChanged = draftChanged;
  }

  get all() {
    return [...this.#all.values()];
  }

  /** The number of unread messages in all rooms. */
  get unread() {
    return this.all.reduce((sum, { progress }) => sum + progress.unread, 0);
  }

  /** The conversation of a room, created on demand. */
  of(room) {
    if (!this.#all.has(room)) {
      const draft = new Draft(room.name, this.#draftChanged);
      this.#all.set(room, new Conversation(room, this.#log, draft));
      draft.restore(room);
    }
    return this.#all.get(room);
  }

  /** Shows the conversation of a room. Returns it. */
  open(room) {
    this.current = this.of(room);
    this.#log.open(this.current);
    return this.current;
  }

  remove(room) {
    this.#all.delete(room);
  }

  /** Shows a note in every room. */
  note(text) {
    for (const conversation of this.all) conversation.note(text);
  }
}
