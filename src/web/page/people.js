// The list of members. The user chooses the recipients of the next message in it, with pointer or keyboard. The list is updated while it is
// used; a press never chooses another member than the one it began on. Moderators also have a menu for each member.

import { KeyedList } from './lists.js';
import { moderates } from './ranks.js';
import { element, nameNode } from './text.js';

/** Largest movement of a press that chooses a member, in CSS pixels. */
const PRESS_PX = 12;

/**
 * Time in which keys choose nobody after the focus was moved automatically, in milliseconds: a key press meant for a member who has
 * just left must not choose the next member.
 */
const UNWANTED_KEY_MS = 500;

const byId = (id) => document.getElementById(id);

export class People {
  #names = byId('names');
  #list = new KeyedList(this.#names, {
    make: (member) => this.#update(element('li'), member),
    update: (item, member) => this.#update(item, member),
    removing: (item) => this.#keepFocus(item),
  });
  #room = null;
  #recipients = null;
  #chosen;
  #me = '';
  #isConnected = true;
  #members = [];
  #openMenu;
  /** Whether the user moderates the room: each name has a button for the menu. */
  #hasMenus = false;
  /** What the list last got of each member. */
  #items = new WeakMap();
  /** The press in progress, `{ member, id, x, y }`, or null. */
  #press = null;
  #wasPressed = false;
  #focusMovedAt = -Infinity;

  /**
   * `chosen(pointerType)` is called when the user has changed the choice; null stands for a key. `openMenu(member, anchor)` opens the menu of
   * a member.
   */
  constructor({ chosen, openMenu }) {
    this.#chosen = chosen;
    this.#openMenu = openMenu;
    this.#names.addEventListener('pointerdown', (event) => this.#begin(event));
    addEventListener('pointerup', (event) => this.#end(event));
    addEventListener('pointercancel', () => (this.#press = null));
    this.#names.addEventListener('click', (event) => this.#click(event));
    this.#names.addEventListener('contextmenu', (event) => this.#menuAt(event, event.target.closest('button')));
    this.#names.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Shows another room from now on, and lets the user choose these recipients. */
  open(room, recipients) {
    this.#room = room;
    this.#recipients = recipients;
    this.#press = null;
    this.#members = null;
    this.#list.clear();
  }

  /** Shows the members, and whether the list is up to date. */
  show(isConnected) {
    const { people, me } = this.#room;
    const hasMenus = moderates(this.#room.rank);
    const isOther = hasMenus !== this.#hasMenus;
    this.#hasMenus = hasMenus;
    if (people !== this.#members || me !== this.#me || isConnected !== this.#isConnected) this.#showSummary(isConnected);
    if (people !== this.#members || me !== this.#me || isOther) this.#list.show(people.map((member) => this.#itemOf(member)));
    [this.#members, this.#me, this.#isConnected] = [people, me, isConnected];
  }

  /** Shows which members are chosen. */
  showChosen() {
    for (const button of this.#names.querySelectorAll('.person[data-key]')) {
      const isChosen = String(this.#recipients.has(keyOf(button)));
      if (button.ariaPressed !== isChosen) button.setAttribute('aria-pressed', isChosen);
    }
  }

  /** What the list shows of a member: the same object as before if it shows the same. */
  #itemOf(member) {
    const isMe = member.name === this.#room.me;
    const hasMenu = this.#hasMenus && !isMe;
    const before = this.#items.get(member);
    if (before?.isMe === isMe && before.hasMenu === hasMenu) return before;
    const item = { ...member, isMe, hasMenu };
    this.#items.set(member, item);
    return item;
  }

  #showSummary(isConnected) {
    const count = this.#room.people.length;
    byId('people').classList.toggle('stale', !isConnected && count > 0);
    byId('people-title').firstChild.data = isConnected || !count ? 'Members ' : 'Last seen ';
    byId('count').textContent = count || '';
    byId('people-help').textContent = help(count, isConnected);
  }

  #update(item, { key, name, isCoordinator, rank, isMe, hasMenu }) {
    const tag = isMe ? 'span' : 'button';
    const isMade = item.firstElementChild?.localName === tag;
    const person = isMade ? item.firstElementChild : element(tag, { className: 'person' });
    const role = isCoordinator ? [' ', element('span', { className: 'role' }, 'coordinator')] : [];
    const badge = rank ? [' ', element('span', { className: 'rank' }, rank)] : [];
    person.replaceChildren(nameNode(name), ...(isMe ? [' ', element('span', { className: 'self' }, '(you)')] : []), ...role, ...badge);
    this.#showMenuButton(item, hasMenu ? name : null);
    if (!isMe) {
      person.type = 'button';
      person.dataset.key = key;
      person.dataset.name = name;
      person.setAttribute('aria-pressed', this.#recipients.has(key));
    }
    if (!isMade) item.replaceChildren(person, ...item.querySelectorAll('.more'));
    return item;
  }

  /** Shows the button for the menu of the member of this name, or removes it if the name is null. */
  #showMenuButton(item, name) {
    const before = item.querySelector('.more');
    if (name === null) return before?.remove();
    const button = before ?? element('button', { type: 'button', className: 'more' }, '⋯');
    button.setAttribute('aria-haspopup', 'menu');
    button.setAttribute('aria-label', `Actions for ${name}`);
    if (!before) item.append(button);
  }

  /** Opens the menu of the member at a button, if the user moderates the room. */
  #menuAt(event, button) {
    const member = this.#room.member(keyOf(button));
    if (!this.#hasMenus || !member) return;
    event.preventDefault();
    this.#press = null;
    this.#openMenu(member, button);
  }

  #begin(event) {
    const button = event.target.closest('button.person');
    this.#wasPressed = false;
    if (!button || !event.isPrimary || event.button !== 0) return;
    this.#press = { member: this.#room.member(keyOf(button)), id: event.pointerId, x: event.clientX, y: event.clientY };
  }

  /** Chooses the member on which the press began, even if the list has moved or the member has left since. */
  #end(event) {
    const press = this.#press;
    if (!press || event.pointerId !== press.id) return;
    this.#press = null;
    if (!press.member || Math.hypot(event.clientX - press.x, event.clientY - press.y) > PRESS_PX) return;
    this.#wasPressed = true;
    const member = this.#room.member(press.member.key);
    if (member) this.#recipients.toggle(member);
    else this.#recipients.choose([press.member], this.#room);
    this.#chosen(event.pointerType);
  }

  /** Handles clicks by keys and assistive technology. `#end` has handled the click of a press already. */
  #click(event) {
    const hasChosen = this.#wasPressed && event.detail > 0;
    this.#wasPressed = false;
    if (hasChosen) return;
    const button = event.target.closest('button');
    if (button?.matches('.more')) return this.#menuAt(event, button);
    const member = this.#room.member(keyOf(button));
    if (!member || performance.now() - this.#focusMovedAt < UNWANTED_KEY_MS) return;
    this.#recipients.toggle(member);
    this.#chosen(null);
  }

  #key(event) {
    const buttons = [...this.#names.querySelectorAll('button.person')];
    const at = buttons.indexOf(document.activeElement.closest('li')?.firstElementChild);
    const [next, previous] = [at + 1, at - 1];
    const to = {
      ArrowDown: next, ArrowRight: next, ArrowUp: previous, ArrowLeft: previous, Home: 0, End: buttons.length - 1,
    }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    buttons[Math.min(Math.max(to, 0), buttons.length - 1)].focus();
  }

  /** Moves the focus from a member who leaves to the next one, or to the heading. */
  #keepFocus(item) {
    if (!item.contains(document.activeElement)) return;
    const near = neighbour(item, 'nextElementSibling') ?? neighbour(item, 'previousElementSibling') ?? byId('people-title');
    near.focus();
    this.#focusMovedAt = performance.now();
  }
}

/** The key of the member in whose row a button is. */
function keyOf(button) {
  return Number(button?.closest('li').firstElementChild.dataset.key);
}

function neighbour(item, direction) {
  for (let at = item[direction]; at; at = at[direction]) {
    const button = at.querySelector('button');
    if (button) return button;
  }
  return null;
}

function help(count, isConnected) {
  if (!count) return '';
  if (!isConnected) return 'Not connected: this list may be out of date.';
  return count > 1 ? 'Click names to whisper.' : 'Nobody else is here yet.';
}
