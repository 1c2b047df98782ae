// The read progress of one room: counts unread messages, decides where the mark for new ones goes, and orders entries without an id.
// Pure: no document.

export class ReadProgress {
  /** The number of unread messages, and whether one of them mentions the user. */
  unread = 0;
  isMentioned = false;
  /** The last id received. */
  lastId = 0;
  /** Whether the next missed message is the first, which gets the mark. */
  #isFirstMissed = true;
  /** The last id that the user has seen. */
  #readUpTo = Infinity;
  /** The last id seen before the replay began. */
  #missedAfter = Infinity;
  /** Entries without an id that arrived before or during the current replay; otherwise null. Replayed messages are inserted before them. */
  #unplaced = [];

  /** Whether a replay is in progress, or has not begun yet. */
  get isReplaying() {
    return this.#unplaced !== null;
  }

  /** The order of an entry without an id: the last id before it; during a replay, after all replayed messages. */
  get order() {
    return this.isReplaying ? Infinity : this.lastId;
  }

  /** Begins an epoch. At an earlier visit, the user has read its messages up to `readUpTo`. */
  begin(readUpTo) {
    this.lastId = 0;
    this.#readUpTo = readUpTo;
  }

  /** Prepares for a replay of past or missed messages. */
  beginReplay() {
    this.#unplaced ??= [];
    // Of a room that the user has not seen yet, the messages since the page entered it are new.
    this.#missedAfter = Math.min(this.#readUpTo, this.lastId || Infinity);
    this.#isFirstMissed = true;
  }

  endReplay() {
    for (const entry of this.#unplaced ?? []) entry.order = this.lastId;
    this.#unplaced = null;
  }

  /** Records an entry. Returns whether it gets the mark; `isSeen` says whether the user can see the newest entries now. */
  add(entry, isSeen) {
    const { kind, order, author, isOwn, isMention } = entry;
    const isMissed = kind === 'past';
    if (order === Infinity) this.#unplaced.push(entry);
    else this.lastId = Math.max(this.lastId, order);
    const isNew = author && !isOwn && (isMissed ? order > this.#missedAfter : !isSeen);
    if (!isNew) return false;
    const isFirst = isMissed ? this.#isFirstMissed : this.unread === 0;
    if (isMissed) this.#isFirstMissed = false;
    if (!isSeen) {
      this.unread += 1;
      this.isMentioned ||= isMention || kind === 'whisper';
    }
    return isFirst;
  }

  /** Records that the user sees the newest entries. Returns the id up to which everything is read now, or null if that is not new. */
  see() {
    this.unread = 0;
    this.isMentioned = false;
    if (this.lastId === 0 || this.lastId === this.#readUpTo) return null;
    this.#readUpTo = this.lastId;
    return this.lastId;
  }
}
