// What was said and what happened, in order: a bounded list of entries. No document here.
//
// An entry is `{ kind, order, at, author, to, isOwn, … }`. `order` is its id or, if it has none, the last id before it. It is shown with
// its author's name unless it continues what the same author said just before.

import { isSameDay } from './dates.js';

/** Longest time between two messages of one group, in milliseconds. */
const GROUP_MS = 5 * 60_000;

export class Transcript {
  entries = [];

  add(entry) {
    this.entries.push(entry);
  }

  /** Inserts what belongs before what has happened since. Nothing goes before an entry that is a `boundary`. */
  insert(entry) {
    let at = this.entries.length;
    while (at > 0 && !this.entries[at - 1].isBoundary && this.entries[at - 1].order > entry.order) at -= 1;
    this.entries.splice(at, 0, entry);
  }

  /** Removes the oldest beyond `count`, and returns them. */
  trim(count) {
    return this.entries.splice(0, Math.max(this.entries.length - count, 0));
  }

  /** Whether an entry is the first of its day. */
  startsDay(index) {
    const [entry, before] = [this.entries[index], this.entries[index - 1]];
    return !before || !isSameDay(before.at, entry.at);
  }

  /** Whether an entry continues what its author said just before, or what happened in the same minute. */
  isContinued(index) {
    return !this.startsDay(index) && continues(this.entries[index], this.entries[index - 1]);
  }
}

/** Whether `entry` may stand under the same name as `before`. */
export function continues(entry, before) {
  if (!before || before.author !== entry.author) return false;
  if (!entry.author) return isEvent(entry) && isEvent(before) && minuteOf(entry) === minuteOf(before);
  return (before.to ?? []).join() === (entry.to ?? []).join() && entry.at - before.at < GROUP_MS && entry.at >= before.at;
}

function isEvent({ author, kind }) {
  return !author && kind !== 'note';
}

function minuteOf({ at }) {
  return Math.floor(at / 60_000);
}
