// The panel of messages. Keeps the scroll position while the user reads, marks where the user stopped reading, and counts unread messages.

import { copyAsLines } from './copying.js';
import { untilTomorrow } from './dates.js';
import { entryOf, noteEntry, ownEntry, plainLine } from './entries.js';
import { oncePerFrame } from './frames.js';
import { Scroller } from './scrolling.js';
import { Transcript } from './transcript.js';
import { TranscriptView } from './transcript-view.js';

/** Most entries in the transcript; the oldest are dropped. */
const ENTRIES_MAX = 2000;

/** Most entries while the user reads further up: more, so that the entries being read are not dropped. */
const ENTRIES_WHILE_READING_MAX = 4000;

/** Longest time between two checks of the date, in milliseconds. */
const DAY_CHECK_MS = 60_000;

export class Log {
  #panel = document.getElementById('log');
  #button = document.getElementById('new-messages');
  #transcript = new Transcript();
  #view = new TranscriptView(this.#panel, this.#transcript);
  #scroller = new Scroller(this.#panel, { isComplete: () => this.#view.isComplete, moved: () => this.#updateSeen() });
  #draw = oncePerFrame(() => this.#scroller.around(() => this.#work(this.#scroller.isFollowing)));
  #read;
  #unread = 0;
  /** Whether the next missed message is the first, which gets the mark. */
  #isFirstMissed = true;
  /** The last id received. */
  #lastId = 0;
  /** The last id that the user has seen. */
  #readUpTo = Infinity;
  /** The last id seen before the replay began. */
  #missedAfter = Infinity;
  /** Entries without an id that arrived before or during the current replay; otherwise null. Replayed messages are inserted before them. */
  #unplaced = [];

  /** `read(id)` is called when the user has seen everything up to this id. */
  constructor(read) {
    this.#read = read;
    this.#button.addEventListener('click', () => {
      this.toEnd();
      this.#panel.focus({ preventScroll: true });
    });
    document.addEventListener('visibilitychange', () => {
      this.#view.updateDates(new Date());
      this.#updateSeen();
    });
    addEventListener('focus', () => this.#updateSeen());
    this.#panel.addEventListener('pointerdown', ({ button }) => button === 0 && this.#scroller.hold());
    for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => this.#release());
    // The page may miss the end of a press, in a menu or outside the window.
    addEventListener('pointermove', ({ buttons }) => buttons === 0 && this.#release());
    copyAsLines(this.#panel, (node, said) => this.#lineOf(node, said));
    this.#scheduleMidnight();
  }

  /** Begins an epoch. At an earlier visit, the user has read its messages up to `readUpTo`. */
  begin(readUpTo) {
    this.#lastId = 0;
    this.#readUpTo = readUpTo;
  }

  /** Prepares for a replay of past or missed messages. */
  beginReplay() {
    this.#unplaced ??= [];
    this.#missedAfter = this.#readUpTo;
    this.#isFirstMissed = true;
    // Keeps screen readers from announcing them one by one.
    this.#panel.setAttribute('aria-busy', true);
  }

  endReplay() {
    for (const entry of this.#unplaced ?? []) entry.order = this.#lastId;
    this.#unplaced = null;
    this.#panel.setAttribute('aria-busy', false);
  }

  /** Shows a line of the server. Calls `notify(line)` for an unseen whisper or mention. */
  show(line, room, notify) {
    const entry = entryOf(line, room, this.#order);
    if (line.kind === 'past') this.#transcript.insert(entry);
    else this.#add(entry);
    this.#lastId = Math.max(this.#lastId, line.id ?? 0);
    if (this.#isNew(entry)) this.#count(entry);
    const isForMe = line.kind === 'whisper' || (line.kind === 'msg' && entry.isMention);
    if (isForMe && !this.isSeen) notify(line);
    this.#draw();
  }

  /** Shows a whisper that the server has acknowledged. */
  whispered(to, text, me) {
    this.#add(ownEntry({ to, text, me, order: this.#order }));
  }

  /** Shows a note of the page, at the end or after an id. Missed messages are never inserted before a boundary. */
  note(text, { after, isBoundary = false } = {}) {
    const entry = noteEntry(text, after ?? this.#lastId, isBoundary);
    if (after === undefined) this.#transcript.add(entry);
    else this.#transcript.insert(entry);
    this.#draw();
  }

  /** Shows a pending message. Returns a function that removes it, in the frame that shows its replacement. */
  addPending(to, text, me) {
    const entry = ownEntry({ to, text, me, order: this.#lastId });
    this.#view.addPending(entry);
    this.#view.mark(null);
    this.toEnd();
    this.#draw();
    return () => {
      this.#view.removePending(entry);
      this.#draw();
    };
  }

  #release() {
    if (this.#scroller.release()) this.#draw();
  }

  toEnd() {
    if (this.#work(true)) this.#draw();
    this.#scroller.toEnd();
  }

  /** The order of an entry without an id: the last id before it; during a replay, after all replayed messages. */
  get #order() {
    return this.#unplaced ? Infinity : this.#lastId;
  }

  #add(entry) {
    if (entry.order === Infinity) this.#unplaced.push(entry);
    this.#transcript.add(entry);
    this.#draw();
  }

  #work(isAtEnd) {
    const removed = this.#transcript.trim(isAtEnd ? ENTRIES_MAX : ENTRIES_WHILE_READING_MAX);
    return this.#view.work(removed, isAtEnd, new Date());
  }

  /** Whether an entry is an unseen message of another member: missed, or live and out of sight. */
  #isNew({ kind, author, isOwn, order }) {
    if (!author || isOwn) return false;
    return kind === 'past' ? order > this.#missedAfter : !this.isSeen;
  }

  #count(entry) {
    const isMissed = entry.kind === 'past';
    if (isMissed ? this.#isFirstMissed : this.#unread === 0) this.#view.mark(entry);
    if (isMissed) this.#isFirstMissed = false;
    if (!this.isSeen) this.#showUnread(this.#unread + 1);
  }

  /** Whether the user can see the newest messages now. */
  get isSeen() {
    return this.#scroller.isAtEnd && !document.hidden && document.hasFocus();
  }

  #updateSeen() {
    if (this.#scroller.isNearStart && this.#view.extendBefore()) this.#draw();
    if (this.#scroller.isNearEnd && this.#view.extendAfter()) this.#draw();
    if (!this.isSeen) return this.#showUnread(this.#unread);
    this.#showUnread(0);
    if (this.#lastId === 0 || this.#lastId === this.#readUpTo) return;
    this.#readUpTo = this.#lastId;
    this.#read(this.#lastId);
  }

  #showUnread(count) {
    this.#button.hidden = !count || this.#scroller.isAtEnd;
    if (count === this.#unread) return;
    this.#unread = count;
    document.title = count ? `(${count}) chinwag` : 'chinwag';
    this.#button.textContent = count === 1 ? '1 new message ↓' : `${count} new messages ↓`;
  }

  #lineOf(node, said) {
    const entry = this.#view.entryOf(node);
    if (entry) return node.classList.contains('pending') ? null : plainLine(entry, said);
    return node.classList.contains('day') ? said : null;
  }

  /** Uses short timers: timers stop while the machine sleeps, and the clock or the time zone may change. */
  #scheduleMidnight() {
    setTimeout(() => {
      this.#view.updateDates(new Date());
      this.#scheduleMidnight();
    }, Math.min(untilTomorrow(new Date()), DAY_CHECK_MS));
  }
}
