// Shows a transcript in a panel: an element for each entry, a line with the date where a day begins, and a mark where reading
// stopped. What is new is shown a slice at a time, the newest first.

import { dayName } from './dates.js';
import { nodeOf } from './entries.js';
import { slice } from './frames.js';
import { element } from './text.js';
import { continues } from './transcript.js';

/** Entries that are shown at the end of the panel. The browser takes time for each whenever something changes. */
const SHOWN_MAX = 200;

/** Entries that are shown in addition when somebody has scrolled up to the oldest. */
const OLDER_COUNT = 150;

export class TranscriptView {
  #panel;
  #transcript;
  /** For each entry that is shown, its element and, if a day begins with it, the line with the date. */
  #shown = new Map();
  #entries = new WeakMap();
  /** The oldest entry that is shown, or is to be. */
  #oldest = null;
  #mark = element('p', { className: 'mark', role: 'separator' }, element('span', {}, 'New'));
  #marked = null;
  /** Entries that the server has not acknowledged yet. They stay below all others. */
  #pending = [];

  constructor(panel, transcript) {
    this.#panel = panel;
    this.#transcript = transcript;
  }

  /** The entry that an element of the panel shows, if any. */
  entryOf(node) {
    return this.#entries.get(node);
  }

  /** Puts the mark before an entry, or takes it away. */
  mark(entry) {
    this.#marked = entry;
    this.#mark.remove();
    if (entry) this.#placeMark();
  }

  /** Shows an entry below all others until it is dropped. */
  pend(entry) {
    this.#pending.push(entry);
    const node = this.#make({ ...entry, isPending: true });
    // It is read aloud when it is acknowledged.
    node.setAttribute('aria-live', 'off');
    node.querySelector('time').textContent = 'sending…';
    this.#shown.set(entry, { node, day: null });
    this.#panel.append(node);
  }

  drop(entry) {
    this.#pending = this.#pending.filter((each) => each !== entry);
    this.#remove(entry);
  }

  /** Older entries are to be shown, too. Returns whether there are any. */
  extend() {
    const { entries } = this.#transcript;
    const at = entries.indexOf(this.#oldest);
    if (at > 0) this.#oldest = entries[Math.max(at - OLDER_COUNT, 0)];
    return at > 0;
  }

  /**
   * Shows a slice of what has changed in the transcript; `removed` are no longer in it. At the end of the panel older entries
   * are taken away. Returns whether some is left to do.
   */
  work(removed, isAtEnd, now) {
    removed.forEach((entry) => this.#remove(entry));
    const { entries } = this.#transcript;
    const first = isAtEnd ? Math.max(entries.length - SHOWN_MAX, 0) : Math.max(entries.indexOf(this.#oldest), 0);
    for (let index = first - 1; index >= 0 && this.#shown.has(entries[index]); index -= 1) this.#remove(entries[index]);
    this.#oldest = entries[first] ?? null;
    const isLeft = this.#showFrom(first, now);
    if (this.#shown.has(entries[first])) this.#decorate(first, now);
    this.#pending.forEach((entry, at) => this.#group(entry, continues(entry, this.#pending[at - 1] ?? entries.at(-1))));
    return isLeft;
  }

  /** Shows a slice of the entries from this index on that are not shown yet, the newest first. */
  #showFrom(first, now) {
    const { entries } = this.#transcript;
    const isOver = slice();
    let next = this.#pending[0];
    for (let index = entries.length - 1; index >= first; index -= 1) {
      const entry = entries[index];
      if (!this.#shown.has(entry)) {
        if (isOver()) return true;
        this.#show(entry, next);
        this.#decorate(index, now);
        if (index + 1 < entries.length) this.#decorate(index + 1, now);
      }
      next = entry;
    }
    return false;
  }

  /** Names the days anew: what was today is yesterday after midnight. */
  nameDays(now) {
    for (const [{ at }, { day }] of this.#shown) {
      const name = day && dayName(at, now);
      if (day && day.textContent !== name) day.textContent = name;
    }
  }

  #show(entry, next) {
    const node = this.#make(entry);
    this.#shown.set(entry, { node, day: null });
    this.#panel.insertBefore(node, this.#top(next));
    if (entry === this.#marked) this.#placeMark();
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

  /** Gives an entry what depends on the one before it: the date, or its place under the same name. */
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

  #placeMark() {
    const shown = this.#shown.get(this.#marked);
    if (shown) this.#panel.insertBefore(this.#mark, shown.day ?? shown.node);
  }

  /** The first element that belongs to an entry: the mark, the date, or its own; null for the end of the panel. */
  #top(entry) {
    const shown = this.#shown.get(entry);
    if (!shown) return null;
    return entry === this.#marked && this.#mark.isConnected ? this.#mark : shown.day ?? shown.node;
  }
}
