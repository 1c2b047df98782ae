// The panel of messages. It shows one conversation, keeps the scroll position while the user reads, and tells when everything is read.

import { copyAsLines } from './copying.js';
import { untilTomorrow } from './dates.js';
import { plainLine } from './entries.js';
import { oncePerFrame } from './frames.js';
import { Scroller } from './scrolling.js';
import { TranscriptView } from './transcript-view.js';

/** Longest time between two checks of the date, in milliseconds. */
const DAY_CHECK_MS = 60_000;

export class Log {
  #panel = document.getElementById('log');
  #button = document.getElementById('new-messages');
  #scroller = new Scroller(this.#panel, { isComplete: () => this.#view.isComplete, moved: () => this.#updateSeen() });
  #draw = oncePerFrame(() => this.#drawChanges());
  #on;
  #conversation = null;
  /** Whether a conversation was opened, and its entries are not all shown yet. */
  #isOpening = false;

  /**
   * Callbacks:
   * - `on.read(conversation, id)`: the user has seen everything up to this id.
   * - `on.counted()`: the number of unread messages may have changed.
   * - `on.chosen(name, node, message)`: the user has clicked a name; `message` is the one of which it is the author, or null. The list of
   *   members has the same for keys.
   * - `on.menu(message, node)`: the user has asked for the menu of a message. Returns whether there is one.
   */
  constructor(on) {
    this.#on = on;
    this.#button.addEventListener('click', () => {
      this.#toEnd();
      this.#panel.focus({ preventScroll: true });
    });
    document.addEventListener('visibilitychange', () => {
      this.#view.updateDates(new Date());
      this.#updateSeen();
    });
    addEventListener('focus', () => this.#updateSeen());
    this.#panel.addEventListener('pointerdown', ({ button }) => button === 0 && this.#scroller.hold());
    for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => this.#release());
    this.#panel.addEventListener('click', ({ target }) => this.#click(target.closest('.name')));
    this.#panel.addEventListener('contextmenu', (event) => this.#openMenu(event));
    // The page may miss the end of a press, in a menu or outside the window.
    addEventListener('pointermove', ({ buttons }) => buttons === 0 && this.#release());
    copyAsLines(this.#panel, (node, said) => this.#lineOf(node, said));
    this.#scheduleMidnight();
  }

  /** A view of a transcript, for a new conversation. */
  viewOf(transcript) {
    return new TranscriptView(this.#panel, transcript);
  }

  /** Shows this conversation, where the user stopped reading it. */
  open(conversation) {
    const before = this.#conversation;
    if (before) {
      before.position = this.#scroller.save((node) => before.view.entryOf(node));
      before.view.hide();
    }
    this.#conversation = conversation;
    this.#isOpening = true;
    this.#showBusy();
    const { view, position } = conversation;
    const anchors = position === null ? [] : view.showAround(position, new Date());
    this.#scroller.load(anchors);
    this.#updateSeen();
    this.#draw();
  }

  /** Updates the panel after a conversation has changed. */
  changed(conversation) {
    if (conversation === this.#conversation) {
      this.#showBusy();
      this.#draw();
    } else {
      conversation.trim(conversation.position === null);
      this.#on.counted();
    }
  }

  /** Moves to the end of a conversation, now or when it is opened. */
  toEndOf(conversation) {
    if (conversation === this.#conversation) this.#toEnd();
    else conversation.position = null;
    this.changed(conversation);
  }

  /** Whether the user can see the newest entries of a conversation now. */
  isSeen(conversation) {
    return conversation === this.#conversation && this.#scroller.isAtEnd && !document.hidden && document.hasFocus();
  }

  get #view() {
    return this.#conversation.view;
  }

  #drawChanges() {
    const isLeft = this.#scroller.around(() => this.#work(this.#scroller.isFollowing));
    this.#showUnread();
    if (isLeft) return true;
    this.#isOpening = false;
    this.#showBusy();
    return false;
  }

  /** A click that ends the selection of text chooses nobody. */
  #click(node) {
    if (!node || !getSelection().isCollapsed) return;
    this.#on.chosen(node.textContent, node, node.closest('.who') && this.#messageOf(node));
  }

  /** Links and selected text keep the menu of the browser. */
  #openMenu(event) {
    const message = this.#messageOf(event.target);
    if (!message || event.target.closest('a') || !getSelection().isCollapsed) return;
    if (this.#on.menu(message, event.target)) event.preventDefault();
  }

  /** The acknowledged message at an element, unless it is deleted; or null. */
  #messageOf(element) {
    const node = element.closest('.msg:not(.pending)');
    const entry = node && this.#view.entryOf(node);
    return entry && !entry.isDeleted ? entry : null;
  }

  #release() {
    if (this.#scroller.release()) this.#draw();
  }

  #toEnd() {
    if (this.#work(true)) this.#draw();
    this.#scroller.toEnd();
  }

  #work(isAtEnd) {
    return this.#view.work(this.#conversation.trim(isAtEnd), isAtEnd, new Date());
  }

  /** While the panel is busy, screen readers do not announce entries one by one. */
  #showBusy() {
    this.#panel.setAttribute('aria-busy', this.#isOpening || this.#conversation.progress.isReplaying);
  }

  #updateSeen() {
    if (!this.#conversation) return;
    if (this.#scroller.isNearStart && this.#view.extendBefore()) this.#draw();
    if (this.#scroller.isNearEnd && this.#view.extendAfter()) this.#draw();
    const { unread } = this.#conversation.progress;
    const id = this.isSeen(this.#conversation) ? this.#conversation.progress.see() : null;
    this.#showUnread();
    if (unread) this.#on.counted();
    if (id !== null) this.#on.read(this.#conversation, id);
  }

  #showUnread() {
    const { unread } = this.#conversation.progress;
    this.#button.hidden = !unread || this.#scroller.isAtEnd;
    const text = unread === 1 ? '1 new message ↓' : `${unread} new messages ↓`;
    if (this.#button.textContent !== text) this.#button.textContent = text;
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
