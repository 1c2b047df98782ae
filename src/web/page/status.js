// The coordinator's table of all members, with addresses and times. It is refreshed while it is open.

import { duration } from './dates.js';
import { KeyedList } from './lists.js';
import { element, nameNode } from './text.js';

/** Time between two requests, in milliseconds. */
const REFRESH_MS = 2000;

const byId = (id) => document.getElementById(id);

export class Status {
  #dialog = byId('status-dialog');
  #ask;
  #timer = null;
  #list = new KeyedList(byId('status-rows'), { make: (user) => update(row(), user), update });

  /** `ask()` requests the status; the caller passes it to `show` later. */
  constructor(ask) {
    this.#ask = ask;
    byId('check-status').addEventListener('click', () => this.open());
    this.#dialog.addEventListener('toggle', ({ newState }) => {
      clearInterval(this.#timer);
      if (newState === 'open') this.#timer = setInterval(ask, REFRESH_MS);
      // Keeping 1,000 old rows would slow down the next opening.
      else this.#list.show([]);
    });
  }

  get isOpen() {
    return this.#dialog.matches(':popover-open');
  }

  /** Opens the table as a popover: with 1,000 members, a modal dialog takes the browser 50 ms and more. */
  open() {
    if (this.isOpen) return;
    this.#dialog.showPopover();
    this.#ask();
  }

  close() {
    this.#dialog.hidePopover();
  }

  show(status) {
    if (!this.isOpen) return;
    // Only the coordinator of the lobby gets addresses.
    this.#dialog.classList.toggle('without-addresses', !status[0]?.details.address);
    this.#list.show(status);
  }
}

function row() {
  const cells = Array.from({ length: 3 }, () => element('td'));
  const name = element('th');
  name.setAttribute('scope', 'row');
  return element('tr', {}, name, ...cells);
}

function update(row, { name, isCoordinator, details }) {
  const [who, address, idle, online] = row.children;
  const role = isCoordinator ? [' ', element('span', { className: 'role' }, 'coordinator')] : [];
  if (row.dataset.who !== `${name} ${isCoordinator}`) who.replaceChildren(nameNode(name), ...role);
  row.dataset.who = `${name} ${isCoordinator}`;
  setText(address, details.address ?? '');
  setText(idle, duration(details.idle));
  setText(online, duration(details.online));
  return row;
}

/** Sets a text if it differs, which avoids a layout. */
function setText(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}
