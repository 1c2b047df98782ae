// The conversation in one room, as the page keeps it: the entries of the log, the read progress and the scroll position, and the unsent
// text with its recipients. `Log` shows one conversation at a time.

import { entryOf, noteEntry, ownEntry } from './entries.js';
import { ReadProgress } from './reading.js';
import { Transcript } from './transcript.js';

/** Most entries in the transcript; the oldest are dropped. */
const ENTRIES_MAX = 2000;

/** Most entries while the user reads further up: more, so that the entries being read are not dropped. */
const ENTRIES_WHILE_READING_MAX = 4000;

export class Conversation {
  transcript = new Transcript();
  progress = new ReadProgress();
  view;
  /** The scroll position while another conversation is shown, from `Log`; null for the end. */
  position = null;
  room;
  draft;
  /** The epoch of the ids in the transcript. */
  epoch = null;
  #log;

  constructor(room, log, draft) {
    this.room = room;
    this.draft = draft;
    this.#log = log;
    this.view = log.viewOf(this.transcript);
  }

  /** Begins an epoch of the room. At an earlier visit, the user has read its messages up to `readUpTo`. */
  begin(epoch, readUpTo) {
    this.epoch = epoch;
    this.progress.begin(readUpTo);
  }

  /** Prepares for a replay of past or missed messages. */
  beginReplay() {
    this.progress.beginReplay();
    this.#log.changed(this);
  }

  endReplay() {
    this.progress.endReplay();
    this.#log.changed(this);
  }

  /** Shows a line of the server. Calls `notify(line)` for an unseen whisper or mention. */
  show(line, notify) {
    const { progress } = this;
    const entry = entryOf(line, this.room, progress.order);
    if (line.kind === 'past') this.transcript.insert(entry);
    else this.transcript.add(entry);
    const isSeen = this.#log.isSeen(this);
    if (progress.add(entry, isSeen)) this.view.mark(entry);
    const isForMe = line.kind === 'whisper' || (line.kind === 'msg' && entry.isMention);
    if (isForMe && !isSeen) notify(line);
    this.#log.changed(this);
  }

  /** Removes the text of a message that somebody has deleted. */
  delete({ deleted, by }) {
    const entry = this.transcript.message(deleted);
    if (!entry || entry.isDeleted) return;
    Object.assign(entry, { text: '', isMention: false, isDeleted: true, deletedBy: by });
    this.view.redraw(entry);
    this.#log.changed(this);
  }

  /** Shows a whisper that the server has acknowledged. */
  whispered(to, text, me) {
    const entry = ownEntry({ to, text, me, order: this.progress.order });
    this.transcript.add(entry);
    this.progress.add(entry, true);
    this.#log.changed(this);
  }

  /** Shows a note of the page, at the end or after an id. Missed messages are never inserted before a boundary. */
  note(text, { after, isBoundary = false } = {}) {
    const entry = noteEntry(text, after ?? this.progress.lastId, isBoundary);
    if (after === undefined) this.transcript.add(entry);
    else this.transcript.insert(entry);
    this.#log.changed(this);
  }

  /** Shows a pending message. Returns a function that removes it, in the frame that shows its replacement. */
  addPending(to, text, me) {
    const entry = ownEntry({ to, text, me, order: this.progress.lastId });
    this.view.addPending(entry);
    this.view.mark(null);
    this.#log.toEndOf(this);
    return () => {
      this.view.removePending(entry);
      this.#log.changed(this);
    };
  }

  /** Drops and returns the oldest entries beyond the limit, which is higher while the user reads further up. */
  trim(isAtEnd) {
    return this.transcript.trim(isAtEnd ? ENTRIES_MAX : ENTRIES_WHILE_READING_MAX);
  }
}
