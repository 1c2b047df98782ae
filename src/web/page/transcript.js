// The entries of the log, in order. Pure: no document.
//
// An entry is `{ kind, order, at, author, to, isOwn, … }`. `order` is its id or, without one, the last id before it. Consecutive messages
// of one author form a group, which shows the name once.

import { isSameDay } from './dates.js';

/** Longest time between two messages of one group, in milliseconds. */
const GROUP_MS = 5 * 60_000;

export class Transcript {
  entries = [];

  add(entry) {
    this.entries.push(entry);
  }

  /** Inserts an entry by its order, but never before an entry with `isBoundary`. */
  insert(entry) {
    let at = this.entries.length;
    while (at > 0 && !this.entries[at - 1].isBoundary && this.entries[at - 1].order > entry.order) at -= 1;
    this.entries.splice(at, 0, entry);
  }

  /** The message with this id, or undefined. */
  message(id) {
    return this.entries.findLast((entry) => isMessage(entry) && entry.order === id);
  }

  /** The user's newest message that is not deleted, or undefined. */
  get lastOwn() {
    return this.entries.findLast((entry) => isMessage(entry) && entry.isOwn && !entry.isDeleted);
  }

  /** Removes and returns the oldest entries beyond `count`. */
  trim(count) {
    return this.entries.splice(0, Math.max(this.entries.length - count, 0));
  }

  /** Whether the entry is the first of its day. Notes do not count: a note may stand among messages of another day. */
  startsDay(index) {
    const { entries } = this;
    if (isNote(entries[index])) return false;
    let before = index - 1;
    while (before >= 0 && isNote(entries[before])) before -= 1;
    return before < 0 || !isSameDay(entries[before].at, entries[index].at);
  }

  /** Whether the entry continues a group of messages, or of events in one minute. */
  isContinued(index) {
    return !this.startsDay(index) && continues(this.entries[index], this.entries[index - 1]);
  }
}

/** Whether the entry is a message to everybody. */
export function isMessage({ kind }) {
  return kind === 'msg' || kind === 'past';
}

/** Whether `entry` is in one group with `before`. */
export function continues(entry, before) {
  if (!before || before.author !== entry.author) return false;
  if (!entry.author) return isEvent(entry) && isEvent(before) && minuteOf(entry) === minuteOf(before);
  return (before.to ?? []).join() === (entry.to ?? []).join() && entry.at - before.at < GROUP_MS && entry.at >= before.at;
}

function isNote({ kind }) {
  return kind === 'note';
}

function isEvent(entry) {
  return !entry.author && !isNote(entry);
}

function minuteOf({ at }) {
  return Math.floor(at / 60_000);
}
