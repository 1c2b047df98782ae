// The panel of messages. It stays where one reads, marks where reading stopped, and counts what has come since.

import { copyAsLines } from './copying.js';
import { untilTomorrow } from './dates.js';
import { entryOf, noteEntry, ownEntry, plainLine } from './entries.js';
import { eachFrame } from './frames.js';
import { Scroller } from './scrolling.js';
import { Transcript } from './transcript.js';
import { TranscriptView } from './transcript-view.js';

/** Entries that are kept; the oldest go first. */
const ENTRIES_MAX = 2000;

/** Entries that are kept while somebody reads further up, so that what they read stays. */
const ENTRIES_WHILE_READING_MAX = 4000;

export class Log {
  #panel = document.getElementById('log');
  #button = document.getElementById('new-messages');
  #transcript = new Transcript();
  #view = new TranscriptView(this.#panel, this.#transcript);
  #scroller = new Scroller(this.#panel, { isComplete: () => this.#view.isComplete, moved: () => this.#look() });
  #draw = eachFrame(() => this.#scroller.around(() => this.#work(this.#scroller.isAtEnd)));
  #read;
  #unread = 0;
  /** Whether the next message that was missed is the first one: the mark goes before it. */
  #isFirstMissed = true;
  /** The last id that came. */
  #lastId = 0;
  /** The last id that was seen. */
  #readUpTo = Infinity;
  /** The last id that was seen before the messages that were missed began to come. */
  #missedAfter = Infinity;

  /** `read(id)`: what has come up to this id was seen. */
  constructor(read) {
    this.#read = read;
    this.#button.addEventListener('click', () => {
      this.toEnd();
      this.#panel.focus({ preventScroll: true });
    });
    document.addEventListener('visibilitychange', () => {
      this.#view.nameDays(new Date());
      this.#look();
    });
    addEventListener('focus', () => this.#look());
    copyAsLines(this.#panel, (node, said) => this.#lineOf(node, said));
    this.#awaitTomorrow();
  }

  /** Ids begin anew; those up to `readUpTo` were seen at an earlier visit. */
  begin(readUpTo) {
    this.#lastId = 0;
    this.#readUpTo = readUpTo;
  }

  /** What was said earlier, or was missed, comes next. */
  beginReplay() {
    this.#missedAfter = this.#readUpTo;
    this.#isFirstMissed = true;
    // It is not read aloud message by message.
    this.#panel.setAttribute('aria-busy', true);
  }

  endReplay() {
    this.#panel.setAttribute('aria-busy', false);
  }

  /** Shows a line of the room. `called(line)`: it is for the user in particular, and out of sight. */
  show(line, me, called) {
    const entry = entryOf(line, me, this.#lastId);
    if (line.kind === 'past') this.#transcript.insert(entry);
    else this.#add(entry);
    this.#lastId = Math.max(this.#lastId, line.id ?? 0);
    if (this.#isNew(entry)) this.#count(entry);
    const isForMe = line.kind === 'whisper' || (line.kind === 'msg' && entry.isMention);
    if (isForMe && !this.isSeen) called(line);
    this.#draw();
  }

  /** Shows a whisper that the server has acknowledged. */
  whispered(to, text, me) {
    this.#add(ownEntry({ to, text, me, order: this.#lastId }));
  }

  /** Shows something that no line said: now, or in its place after an id. Missed messages are not put before a boundary. */
  note(text, { after, isBoundary = false } = {}) {
    const entry = noteEntry(text, after ?? this.#lastId, isBoundary);
    if (after === undefined) this.#transcript.add(entry);
    else this.#transcript.insert(entry);
    this.#draw();
  }

  /** Shows a message that is on its way. Returns a function that takes it away again. */
  pend(to, text, me) {
    const entry = ownEntry({ to, text, me, order: this.#lastId });
    this.#view.pend(entry);
    this.#view.mark(null);
    this.toEnd();
    this.#draw();
    return () => this.#scroller.around(() => this.#view.drop(entry));
  }

  toEnd() {
    if (this.#work(true)) this.#draw();
    this.#scroller.toEnd();
  }

  #add(entry) {
    this.#transcript.add(entry);
    this.#draw();
  }

  #work(isAtEnd) {
    const removed = this.#transcript.trim(isAtEnd ? ENTRIES_MAX : ENTRIES_WHILE_READING_MAX);
    return this.#view.work(removed, isAtEnd, new Date());
  }

  /** Whether somebody else's message was not seen: it comes now and is out of sight, or came while this page was away. */
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

  /** Whether somebody looks at the newest messages. */
  get isSeen() {
    return this.#scroller.isAtEnd && !document.hidden && document.hasFocus();
  }

  #look() {
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

  #awaitTomorrow() {
    setTimeout(() => {
      this.#view.nameDays(new Date());
      this.#awaitTomorrow();
    }, untilTomorrow(new Date()));
  }
}
