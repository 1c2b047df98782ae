// The dialog with the bans and mutes of a room or, for operators, of the whole server. Each can be lifted.

import { momentOf } from './dates.js';
import { KeyedList } from './lists.js';
import { element, nameNode } from './text.js';

const NOBODY = 'Nobody is banned or muted here.';

const byId = (id) => document.getElementById(id);

export class BanList {
  #dialog = byId('bans-dialog');
  #items = byId('ban-list');
  #list = new KeyedList(this.#items, {
    make: (ban) => update(element('li', {}, element('div'), element('button', { type: 'button' })), ban),
    update,
    removing: (item) => this.#keepFocus(item),
  });
  #ask;
  #lift;
  #room = null;
  #isOnServer = false;
  #bans = [];
  /** The number after which the list goes on; null at its end. */
  #next = null;
  /** What the user has lifted last; empty before. */
  #said = '';
  /** Counts the requests: only the reply to the last one is shown. */
  #turn = 0;

  /**
   * `ask(place, after, answered)` requests the list of a place, `{ room, isOnServer }`. `answered` gets `{ bans, next }`, or `{ problem }`.
   * `lift(place, ban, answered)` ends a ban or a mute; `answered` gets the problem, or an empty text.
   */
  constructor({ ask, lift }) {
    this.#ask = ask;
    this.#lift = lift;
    for (const place of ['room', 'server']) byId(`bans-of-${place}`).addEventListener('click', () => this.#show(place === 'server'));
    byId('more-bans').addEventListener('click', () => this.#load(this.#next));
    this.#items.addEventListener('click', ({ target }) => target.closest('button') && this.#click(target.closest('button')));
    this.#dialog.addEventListener('toggle', ({ newState }) => newState === 'closed' && this.#clear());
  }

  /** Opens the list of a room. `mayServer`: the user may also see that of the server. */
  open(room, mayServer) {
    this.#room = room;
    byId('bans-places').hidden = !mayServer;
    if (!this.#isOpen) this.#dialog.showPopover();
    this.#show(false);
    byId('bans-title').focus();
  }

  close() {
    this.#dialog.hidePopover();
  }

  /** The bans and mutes of a room have changed. */
  changed(room) {
    if (this.#isOpen && room === this.#room) this.#load(null);
  }

  get #isOpen() {
    return this.#dialog.matches(':popover-open');
  }

  get #place() {
    return { room: this.#room, isOnServer: this.#isOnServer };
  }

  #show(isOnServer) {
    this.#isOnServer = isOnServer;
    byId('bans-title').replaceChildren('Bans and mutes ', ...(isOnServer ? ['on the server'] : ['in ', element('bdi', {}, this.#room.name)]));
    byId('bans-of-room').setAttribute('aria-pressed', !isOnServer);
    byId('bans-of-server').setAttribute('aria-pressed', isOnServer);
    this.#clear();
    this.#load(null);
  }

  /** Requests the list from its beginning (`after` is null), or goes on with it. */
  #load(after) {
    this.#turn += 1;
    const turn = this.#turn;
    this.#ask(this.#place, after, ({ bans = [], next = null, problem = '' }) => {
      if (turn !== this.#turn || !this.#isOpen) return;
      if (problem) return this.#explain(problem);
      this.#bans = [...(after === null ? [] : this.#bans), ...bans];
      this.#next = next;
      this.#list.show(this.#bans);
      byId('more-bans').hidden = next === null;
      this.#explain(this.#bans.length ? this.#said : NOBODY);
    });
  }

  #click(button) {
    const ban = this.#bans.find(({ key }) => key === Number(button.dataset.number));
    if (!ban) return;
    this.#lift(this.#place, ban, (problem) => {
      if (!this.#isOpen) return;
      if (problem) return this.#explain(problem);
      this.#bans = this.#bans.filter((other) => other.key !== ban.key);
      this.#list.show(this.#bans);
      this.#said = `${titleOf(ban)} ${ban.of === 'ban' ? 'is not banned any more.' : 'may speak again.'}`;
      this.#explain(this.#bans.length ? this.#said : NOBODY);
    });
  }

  #explain(text) {
    byId('bans-status').textContent = text;
  }

  #clear() {
    this.#turn += 1;
    this.#bans = [];
    this.#said = '';
    this.#list.clear();
    byId('more-bans').hidden = true;
    this.#explain('');
  }

  /** Moves the focus from a row that is lifted to the next one, or to the title. */
  #keepFocus(item) {
    if (!item.contains(document.activeElement)) return;
    const near = item.nextElementSibling ?? item.previousElementSibling;
    (near?.querySelector('button') ?? byId('bans-title')).focus();
  }
}

function update(item, ban) {
  const [about, button] = item.children;
  const { key, of, target, by, until, text } = ban;
  const name = target.replace(/^@/, '');
  const who = target === '-' ? 'An address' : element('span', {}, ...(target === name ? [] : ['Connection of ']), nameNode(name));
  const end = until ? ` until ${momentOf(new Date(until), new Date())}` : ' until it is lifted';
  const author = by === '-' ? 'the operator' : element('bdi', {}, by);
  const reason = text ? [': ', element('bdi', {}, text)] : [];
  about.replaceChildren(
    element('span', { className: 'ban-target' }, who),
    element('span', { className: 'ban-details' }, of === 'ban' ? 'Banned by ' : 'Muted by ', author, end, ...reason),
  );
  button.dataset.number = key;
  button.textContent = of === 'ban' ? 'Unban' : 'Unmute';
  button.setAttribute('aria-label', `${button.textContent} ${titleOf(ban)}`);
  return item;
}

function titleOf({ target }) {
  if (target === '-') return 'the address';
  return target.startsWith('@') ? `the connection of ${target.slice(1)}` : target;
}
