// Shows a part of the transcript, the range, in a panel: an element for each entry, a line with the date where a day begins, and a mark
// where the user stopped reading. Elements are created in slices, the newest first. `Log` decides when to work, and which part to show.

import { dayName } from './dates.js';
import { nodeOf } from './entries.js';
import { slice } from './frames.js';
import { element } from './text.js';
import { continues } from './transcript.js';

/** Most entries shown at the end. Every element costs time when the browser updates styles or layout. */
const SHOWN_MAX = 200;

/** Most entries shown while the user reads further up. */
const SHOWN_WHILE_READING_MAX = 600;

/** The number of entries added when the user scrolls near the first or last shown entry. */
const MORE_COUNT = 150;

/** The number of entries shown at once around the entry at which the user stopped reading: more than a screen has. */
const AROUND_COUNT = { before: 20, after: 60 };

export class TranscriptView {
  #panel;
  #transcript;
  /** `{ node, day }` for each entry shown; `day` is the line with the date, or null. */
  #shown = new Map();
  #entries = new WeakMap();
  /** The first and the last entry of the range, and whether the range begins with the transcript. */
  #first = null;
  #last = null;
  #isFromStart = true;
  #mark = markNode();
  #marked = null;
  /** Entries that the server has not acknowledged, shown below all others. */
  #pending = [];
  #dropped = [];

  constructor(panel, transcript) {
    this.#panel = panel;
    this.#transcript = transcript;
  }

  /** The entry that an element shows, or undefined. */
  entryOf(node) {
    return this.#entries.get(node);
  }

  /** Places the mark before an entry when that is shown; null removes the mark. */
  mark(entry) {
    this.#marked = entry;
    this.#mark.remove();
  }

  /** Shows an entry below all others, from the next slice of work on, until it is dropped. */
  addPending(entry) {
    this.#pending.push(entry);
  }

  /** Removes a pending entry in the next slice of work. */
  removePending(entry) {
    this.#pending = this.#pending.filter((each) => each !== entry);
    this.#dropped.push(entry);
  }

  /** Shows an entry again, after it has changed. */
  redraw(entry) {
    const shown = this.#shown.get(entry);
    if (!shown) return;
    const node = this.#make(entry);
    node.classList.toggle('continued', shown.node.classList.contains('continued'));
    shown.node.replaceWith(node);
    shown.node = node;
  }

  /** Removes all elements from the panel, so that another view can use it. */
  hide() {
    this.#panel.replaceChildren();
    this.#shown.clear();
  }

  /** Shows the entries around a position, `{ entry, offset }` of some entries. Returns it with their elements: `{ node, offset }`. */
  showAround(position, now) {
    const { entries } = this.#transcript;
    const at = Math.max(...position.map(({ entry }) => entries.indexOf(entry)));
    if (at < 0) return [];
    this.#setRange(at - AROUND_COUNT.before, at + AROUND_COUNT.after);
    this.#showRange(now, () => false);
    return position.map(({ entry, offset }) => ({ node: this.#shown.get(entry)?.node, offset })).filter(({ node }) => node);
  }

  /** Whether the range ends with the newest entry. */
  get isComplete() {
    return this.#last === (this.#transcript.entries.at(-1) ?? null);
  }

  /** Extends the range to earlier entries. Returns whether there are any. */
  extendBefore() {
    const [first, last] = this.#range();
    if (first > 0) this.#setRange(first - MORE_COUNT, Math.min(last, first - MORE_COUNT + SHOWN_WHILE_READING_MAX));
    return first > 0;
  }

  /** Extends the range to later entries. Returns whether there are any. */
  extendAfter() {
    const [first, last] = this.#range();
    const isComplete = last === this.#transcript.entries.length;
    if (!isComplete) this.#setRange(Math.max(first, last + MORE_COUNT - SHOWN_WHILE_READING_MAX), last + MORE_COUNT);
    return !isComplete;
  }

  /**
   * Does a slice of the update after the transcript has changed; `removed` are the entries dropped from it. At the end, the range moves
   * on with the newest entries; elsewhere, it stays. Returns whether work is left.
   */
  work(removed, isAtEnd, now) {
    [...removed, ...this.#dropped.splice(0)].forEach((entry) => this.#remove(entry));
    const { entries } = this.#transcript;
    const [first, last] = this.#range();
    if (isAtEnd) this.#setRange(entries.length - SHOWN_MAX, entries.length);
    else this.#setRange(first, Math.max(last, first + SHOWN_WHILE_READING_MAX));
    const isLeft = this.#showRange(now, slice());
    this.#pending.filter((entry) => !this.#shown.has(entry)).forEach((entry) => this.#showPending(entry));
    this.#pending.forEach((entry, at) => this.#group(entry, continues(entry, this.#pending[at - 1] ?? entries.at(-1))));
    return isLeft;
  }

  /** The range as indices: of its first entry, and of the entry after its last one. */
  #range() {
    const { entries } = this.#transcript;
    const [first, last] = [Math.max(entries.indexOf(this.#first), 0), entries.indexOf(this.#last) + 1];
    // A range that begins with the transcript includes entries inserted before it.
    return [this.#isFromStart ? Math.max(Math.min(first, last - SHOWN_WHILE_READING_MAX), 0) : first, last];
  }

  #setRange(first, last) {
    const { entries } = this.#transcript;
    this.#first = entries[Math.max(first, 0)] ?? null;
    this.#isFromStart = first <= 0;
    this.#last = entries[Math.min(last, entries.length) - 1] ?? null;
  }

  #showRange(now, isOver) {
    const { entries } = this.#transcript;
    const [first, last] = this.#range();
    entries.forEach((entry, index) => {
      if ((index < first || index >= last) && this.#shown.has(entry)) this.#remove(entry);
    });
    const isLeft = this.#showMissing(first, last, now, isOver);
    if (this.#shown.has(entries[first])) this.#decorate(first, now);
    return isLeft;
  }

  /** Shows a slice of the missing entries of this range, the newest first. Returns whether any are left. */
  #showMissing(first, last, now, isOver) {
    const { entries } = this.#transcript;
    let next = this.#pending[0];
    for (let index = last - 1; index >= first; index -= 1) {
      const entry = entries[index];
      if (!this.#shown.has(entry)) {
        if (isOver()) return true;
        this.#show(entry, next);
        this.#decorate(index, now);
        if (index + 1 < last) this.#decorate(index + 1, now);
      }
      next = entry;
    }
    return false;
  }

  /** Updates the lines with dates: after midnight, today is yesterday. */
  updateDates(now) {
    for (const [{ at }, { day }] of this.#shown) {
      const name = day && dayName(at, now);
      if (day && day.textContent !== name) day.textContent = name;
    }
  }

  #show(entry, next) {
    const node = this.#make(entry);
    this.#shown.set(entry, { node, day: null });
    this.#panel.insertBefore(node, this.#top(next));
    if (entry === this.#marked) this.#panel.insertBefore(this.#mark, node);
  }

  #showPending(entry) {
    const node = this.#make({ ...entry, isPending: true });
    // Screen readers announce it when it is acknowledged.
    node.setAttribute('aria-live', 'off');
    node.querySelector('time').textContent = 'sending…';
    this.#shown.set(entry, { node, day: null });
    this.#panel.append(node);
  }

  #make(entry) {
    const node = nodeOf(entry);
    this.#entries.set(node, entry);
    return node;
  }

  #remove(entry) {
    const shown = this.#shown.get(entry);
    shown?.node.remove();
    shown?.day?.remove();
    this.#shown.delete(entry);
    if (entry === this.#marked) this.mark(null);
  }

  /** Updates the line with the date and the place in a group, which depend on the previous entry. */
  #decorate(index, now) {
    const entry = this.#transcript.entries[index];
    const shown = this.#shown.get(entry);
    this.#group(entry, this.#transcript.isContinued(index));
    if (this.#transcript.startsDay(index) === (shown.day !== null)) return;
    if (shown.day) {
      shown.day.remove();
      shown.day = null;
    } else {
      const day = element('p', { className: 'day' }, dayName(entry.at, now));
      this.#panel.insertBefore(day, this.#top(entry));
      shown.day = day;
    }
  }

  #group(entry, isContinued) {
    this.#shown.get(entry)?.node.classList.toggle('continued', isContinued);
  }

  /** The topmost element of an entry: the mark, the line with the date, or its own element; null for the end of the panel. */
  #top(entry) {
    const shown = this.#shown.get(entry);
    if (!shown) return null;
    return entry === this.#marked && this.#mark.isConnected ? this.#mark : shown.day ?? shown.node;
  }
}

function markNode() {
  const mark = element('p', { className: 'mark' }, element('span', {}, 'New'));
  mark.setAttribute('role', 'separator');
  mark.setAttribute('aria-label', 'New messages');
  return mark;
}
