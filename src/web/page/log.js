// The panel of messages. It stays where one reads, and counts what has come since.

import { element, mentions, nameNode, textNodes } from './text.js';

/** Entries that are kept; the oldest go first. */
const ENTRIES_MAX = 2000;

/** How near to the end one is taken to be at it, in CSS pixels. */
const AT_END_PX = 48;

const REASONS = {
  eof: 'left',
  quit: 'left',
  lost: 'lost the connection',
  slow: 'was let go: too slow',
  timeout: 'was let go: silent for too long',
  errors: 'was let go: too many errors',
};

const TO_THE_MINUTE = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const TIME = new Intl.DateTimeFormat([], TO_THE_MINUTE);
const DAY_AND_TIME = new Intl.DateTimeFormat([], { month: 'short', day: 'numeric', ...TO_THE_MINUTE });
const ALL_OF_TIME = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'medium' });

export class Log {
  #panel = document.getElementById('log');
  #button = document.getElementById('new-messages');
  #isAtEnd = true;
  #isMovingToEnd = false;
  #unread = 0;

  constructor() {
    this.#panel.addEventListener('scroll', () => this.#look());
    this.#button.addEventListener('click', () => {
      this.toEnd();
      this.#panel.focus({ preventScroll: true });
    });
    document.addEventListener('visibilitychange', () => this.#look());
    addEventListener('focus', () => this.#look());
    // The panel changes its size when the box below grows, or a keyboard comes up.
    new ResizeObserver(() => this.#isAtEnd && this.toEnd()).observe(this.#panel);
  }

  /** Shows a line of the room. */
  show(line, me) {
    const entry = ENTRIES[line.kind](line, me);
    if (line.id) entry.dataset.id = line.id;
    if (line.kind === 'past') this.#insert(entry, line.id);
    else this.#append(entry);
    const isForMe = (line.kind === 'msg' || line.kind === 'whisper') && line.name !== me;
    if (isForMe && !this.#isSeen()) this.#count(this.#unread + 1);
  }

  /** Shows what one whispered oneself. */
  whispered(names, text, me) {
    const to = names.flatMap((name) => [', ', nameNode(name)]).slice(1);
    const time = new Date().toISOString();
    this.#append(said('whisper', time, ['you whisper to ', ...to], text, me));
  }

  /** Shows something that no line said. */
  note(text) {
    this.#append(element('p', { className: 'note' }, text));
  }

  /** While many are told again they are not read aloud one by one. */
  set isBusy(isBusy) {
    this.#panel.setAttribute('aria-busy', isBusy);
  }

  toEnd() {
    this.#panel.scrollTop = this.#panel.scrollHeight;
    this.#isAtEnd = true;
    this.#look();
  }

  #append(entry) {
    this.#put(entry, null);
  }

  /** Puts a past message before what has happened since. A note that has no id says where that begins. */
  #insert(entry, id) {
    let before = null;
    let last = this.#panel.lastElementChild;
    while (last && Number(last.dataset.id) > id) {
      before = last;
      last = last.previousElementSibling;
    }
    this.#put(entry, before);
  }

  #put(entry, before) {
    this.#panel.insertBefore(entry, before);
    while (this.#panel.childElementCount > ENTRIES_MAX) this.#panel.firstElementChild.remove();
    if (this.#isAtEnd) this.#moveToEnd();
  }

  /** Once all lines that came together are there: each time, the browser lays out the whole panel. */
  #moveToEnd() {
    if (this.#isMovingToEnd) return;
    this.#isMovingToEnd = true;
    queueMicrotask(() => {
      this.#isMovingToEnd = false;
      this.toEnd();
    });
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#panel;
    this.#isAtEnd = scrollHeight - clientHeight - scrollTop < AT_END_PX;
    if (this.#isSeen()) this.#count(0);
  }

  #isSeen() {
    return this.#isAtEnd && !document.hidden && document.hasFocus();
  }

  #count(unread) {
    this.#unread = unread;
    document.title = unread ? `(${unread}) chinwag` : 'chinwag';
    this.#button.hidden = !unread || this.#isAtEnd;
    this.#button.textContent = unread === 1 ? '1 new message ↓' : `${unread} new messages ↓`;
  }
}

const ENTRIES = {
  msg: ({ time, name, text }, me) => said(name === me ? 'msg own' : 'msg', time, [nameNode(name)], text, me),
  past: ({ time, name, text }, me) => said('msg past', time, [nameNode(name)], text, me),
  whisper: ({ time, name, text }, me) => said('whisper', time, [nameNode(name), ' whispers'], text, me),
  join: ({ time, name }, me) => happened(time, ...(name === me ? ['You joined'] : [nameNode(name), ' joined'])),
  leave: ({ time, name, reason, text }) =>
    happened(time, nameNode(name), ` ${REASONS[reason] ?? 'left'}`, ...(text ? [': ', element('bdi', {}, text)] : [])),
  rename: ({ time, name, to }, me) =>
    happened(time, ...(to === me ? ['You are'] : [nameNode(name), ' is']), ' now ', nameNode(to)),
  coordinator: ({ time, name }, me) =>
    happened(time, ...(name === me ? ['You are'] : [nameNode(name), ' is']), ' coordinator now'),
  clear: ({ time, name }, me) => happened(time, ...(name === me ? ['You'] : [nameNode(name)]), ' cleared the canvas'),
  notice: ({ time, text }) => happened(time, 'Server: ', element('bdi', {}, text)),
};

function said(kind, time, who, text, me) {
  const isMention = !kind.includes('own') && mentions(text, me);
  return element(
    'p',
    { className: isMention ? `${kind} mention` : kind },
    clock(time),
    element('span', { className: 'who' }, ...who),
    element('span', { className: 'said', dir: 'auto' }, ...textNodes(text, me)),
  );
}

function happened(time, ...what) {
  return element('p', { className: 'event' }, clock(time), element('span', { className: 'said' }, ...what));
}

/** The time of day here; the day, too, if it is another one. */
function clock(time) {
  const at = time ? new Date(time) : new Date();
  const isToday = at.toDateString() === new Date().toDateString();
  const short = (isToday ? TIME : DAY_AND_TIME).format(at);
  return element('time', { dateTime: at.toISOString(), title: ALL_OF_TIME.format(at) }, short);
}
