// The dialog to find a room, or to make one. The list follows what the user types.

import { foldCase } from './case.js';
import { KeyedList } from './lists.js';
import { element } from './text.js';

const byId = (id) => document.getElementById(id);

export class RoomFinder {
  #dialog = byId('finder');
  #input = byId('room-wanted');
  #more = byId('more-rooms');
  #list = new KeyedList(byId('found-rooms'), { make: (room) => update(made(), room), update });
  #ask;
  #rooms = [];
  #next = null;
  /** The prefix in the request that has no reply yet, or null. */
  #asked = null;

  /**
   * `ask(prefix, after, answered)` requests a part of the list; `answered` gets `{ rooms, next }`, or null without a
   * connection.
   * `enter(name)` enters a room, and makes it if there is none of this name. The dialog stays open until `close()`.
   */
  constructor(ask, enter) {
    this.#ask = ask;
    byId('finder-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#prefix === '#') return this.explain('Type the name of a room first.');
      enter(this.#known?.name ?? this.#prefix);
    });
    this.#input.addEventListener('input', () => {
      this.explain('');
      this.#showAction();
      this.#find();
    });
    this.#more.addEventListener('click', () => this.#request(this.#next));
    byId('found-rooms').addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (button) enter(button.dataset.name);
    });
    this.#dialog.addEventListener('toggle', ({ newState }) => newState === 'closed' && this.#list.clear());
  }

  /** Opens the dialog with this beginning of a name. `reason` explains why. */
  open(name = '', reason = '') {
    if (!this.#dialog.matches(':popover-open')) this.#dialog.showPopover();
    this.#input.value = name.replace(/^#/, '');
    this.#rooms = [];
    this.#next = null;
    this.explain(reason);
    this.#showAction();
    this.#find();
    this.#input.focus();
    this.#input.select();
  }

  close() {
    this.#dialog.hidePopover();
  }

  /** Shows why a room cannot be entered. */
  explain(text) {
    byId('finder-error').textContent = text;
  }

  /** The name in the box, with its `#`. */
  get #prefix() {
    return `#${this.#input.value.trim().replace(/^[#＃]/u, '')}`;
  }

  /** The found room of this name, if there is one. */
  get #known() {
    const wanted = foldCase(this.#prefix);
    return this.#rooms.find(({ key }) => key === wanted);
  }

  /** Requests the rooms that begin as the user has typed. One request at a time: the server limits the rate of lines. */
  #find() {
    if (this.#asked === null) this.#request(null);
  }

  #request(after) {
    const prefix = this.#prefix;
    this.#asked = prefix;
    this.#ask(prefix, after, (reply) => {
      this.#asked = null;
      if (prefix !== this.#prefix) return this.#find();
      this.#show(after === null ? [] : this.#rooms, reply);
    });
  }

  #show(before, reply) {
    const found = (reply?.rooms ?? []).map((room) => ({ ...room, key: foldCase(room.name) }));
    this.#rooms = [...before, ...found];
    this.#next = reply?.next ?? null;
    this.#list.show(this.#rooms);
    this.#more.hidden = this.#next === null;
    byId('finder-status').textContent = reply ? summary(this.#rooms.length, this.#next !== null) : 'Not connected.';
    this.#showAction();
  }

  #showAction() {
    byId('enter-room').textContent = this.#prefix === '#' || this.#known ? 'Open' : 'Make room';
  }
}

function summary(count, isMore) {
  if (count === 0) return 'No name of a room begins like this. You can make this room.';
  const rooms = count === 1 ? '1 room' : `${count} rooms`;
  return isMore ? `${rooms}; there are more` : rooms;
}

function made() {
  const parts = ['room-name', 'room-count', 'room-topic'].map((className) => element('span', { className }));
  parts[0].append(element('bdi'));
  return element('li', {}, element('button', { type: 'button' }, ...parts));
}

const LOCKS = { open: '', accounts: ', only for accounts', invited: ', only for the invited' };

function update(item, { name, count, isIn, topic, lock }) {
  const button = item.firstElementChild;
  const [title, members, about] = button.children;
  button.dataset.name = name;
  title.firstElementChild.textContent = name;
  members.textContent = `${count === 1 ? '1 member' : `${count.toLocaleString()} members`}${isIn ? ', you are in it' : ''}${LOCKS[lock]}`;
  about.replaceChildren(element('bdi', {}, topic));
  about.hidden = !topic;
  return item;
}
