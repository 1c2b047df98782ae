// The column of the user's rooms, with unread messages. On a narrow page it is a drawer.

import { foldCase } from './case.js';
import { KeyedList } from './lists.js';
import { element } from './text.js';
import { load, store } from './storage.js';

/** The width up to which the column is a drawer. page.css has the same. */
const NARROW = matchMedia('(max-width: 60rem)');

/** Most unread messages that are shown as a number. */
const UNREAD_MAX = 999;

const byId = (id) => document.getElementById(id);

export class RoomColumn {
  #column = byId('rooms');
  #button = byId('show-rooms');
  #list = new KeyedList(byId('room-list'), {
    make: (row) => update(made(), row), update, removing: (item) => item.contains(document.activeElement) && byId('find-room').focus(),
  });
  #opened;
  #rows = new Map();
  #isOffered = false;
  /** Whether the user wants the column; null without a choice: it is shown if there are several rooms. */
  #isWanted = load('localStorage', 'column');

  /** `opened(name, pointerType)` is called when the user chooses a room; the pointer type is empty for a key. */
  constructor(opened) {
    this.#opened = opened;
    this.#button.addEventListener('click', () => this.#toggle());
    byId('room-list').addEventListener('click', (event) => this.#click(event));
    byId('room-list').addEventListener('keydown', (event) => this.#key(event));
    this.#column.addEventListener('toggle', () => this.#showState());
    NARROW.addEventListener('change', () => this.#fit());
    this.#fit();
  }

  /** Shows the conversations of the user's rooms. `current` is the one that the page shows. */
  show(conversations, current, isOffered) {
    this.#isOffered = isOffered;
    const rows = conversations.map((conversation) => this.#rowOf(conversation, conversation === current));
    rows.sort((one, other) => (one.key < other.key ? -1 : 1));
    const isChanged = rows.length !== this.#rows.size || rows.some((row) => this.#rows.get(row.key) !== row);
    if (isChanged) {
      this.#rows = new Map(rows.map((row) => [row.key, row]));
      this.#list.show(rows);
    }
    const others = rows.filter(({ isCurrent }) => !isCurrent);
    this.#showBadge(others.reduce((sum, { unread }) => sum + unread, 0), others.some(({ isMentioned }) => isMentioned));
    this.#showState();
  }

  /** Closes the drawer. */
  close() {
    if (NARROW.matches) this.#column.hidePopover();
  }

  /** The row of a room: the one shown before, unless something has changed. */
  #rowOf({ room, progress: { unread, isMentioned } }, isCurrent) {
    const key = foldCase(room.name);
    const row = { key, name: room.name, isCurrent, unread: isCurrent ? 0 : unread, isMentioned: !isCurrent && isMentioned };
    const before = this.#rows.get(key);
    return before && Object.keys(row).every((field) => row[field] === before[field]) ? before : row;
  }

  #toggle() {
    if (NARROW.matches) {
      this.#column.togglePopover();
    } else {
      this.#isWanted = this.#column.hidden;
      store('localStorage', 'column', this.#isWanted);
    }
    this.#showState();
  }

  /** Makes the column a drawer on a narrow page, and a part of the page on a wide one. */
  #fit() {
    if (NARROW.matches) this.#column.setAttribute('popover', 'auto');
    else this.#column.removeAttribute('popover');
    this.#showState();
  }

  #showState() {
    const isOpen = NARROW.matches ? this.#column.matches(':popover-open') : this.#isWanted ?? this.#rows.size > 1;
    this.#column.hidden = !this.#isOffered || (!NARROW.matches && !isOpen);
    this.#button.hidden = !this.#isOffered;
    this.#button.setAttribute('aria-expanded', isOpen);
  }

  /** Shows on the button what is unread in other rooms. */
  #showBadge(unread, isMentioned) {
    const text = unread ? countOf(unread) : '';
    const badge = byId('rooms-unread');
    if (badge.textContent !== text) badge.textContent = text;
    badge.hidden = !unread;
    badge.classList.toggle('mentioned', isMentioned);
    this.#button.setAttribute('aria-label', ['Rooms', ...spoken(unread, isMentioned)].join(', '));
  }

  #click(event) {
    const link = event.target.closest('a');
    // With a modifier, the browser opens another tab or window.
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.#opened(link.dataset.name, event.detail > 0 ? event.pointerType : '');
  }

  #key(event) {
    const links = [...byId('room-list').querySelectorAll('a')];
    const at = links.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    links[Math.min(Math.max(to, 0), links.length - 1)].focus();
  }
}

function made() {
  const link = element('a', { className: 'room' }, element('bdi'), element('span', { className: 'badge' }));
  return element('li', {}, link);
}

function update(item, { name, isCurrent, unread, isMentioned }) {
  const link = item.firstElementChild;
  const [title, badge] = link.children;
  link.href = `#${encodeURIComponent(name.slice(1))}`;
  link.dataset.name = name;
  title.textContent = name;
  badge.textContent = unread ? countOf(unread) : '';
  badge.hidden = !unread;
  badge.classList.toggle('mentioned', isMentioned);
  link.classList.toggle('unread', unread > 0);
  if (isCurrent && !link.ariaCurrent) link.scrollIntoView({ block: 'nearest' });
  if (isCurrent) link.setAttribute('aria-current', 'page');
  else link.removeAttribute('aria-current');
  link.setAttribute('aria-label', [name, ...spoken(unread, isMentioned)].join(', '));
  return item;
}

function countOf(unread) {
  return unread > UNREAD_MAX ? `${UNREAD_MAX}+` : String(unread);
}

function spoken(unread, isMentioned) {
  return [...(unread ? [`${countOf(unread)} unread`] : []), ...(isMentioned ? ['you are mentioned'] : [])];
}
