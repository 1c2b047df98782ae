// The coordinator's table of everybody. It is kept fresh while it is open.

import { element } from './text.js';

/** How often it is asked for, in milliseconds. */
const FRESH_MS = 2000;

const byId = (id) => document.getElementById(id);

export class Status {
  #dialog = byId('status-dialog');
  #timer = null;

  /** `ask()`: STATUS is to be asked for; `show` is called when it has come. */
  constructor(ask) {
    byId('check-status').addEventListener('click', () => {
      this.#dialog.showModal();
      ask();
      this.#timer = setInterval(ask, FRESH_MS);
    });
    this.#dialog.addEventListener('close', () => clearInterval(this.#timer));
  }

  get isOpen() {
    return this.#dialog.open;
  }

  close() {
    this.#dialog.close();
  }

  show(status) {
    byId('status-rows').replaceChildren(...status.map(row));
  }
}

function row({ name, isCoordinator, details }) {
  const who = element('th', { scope: 'row' }, element('bdi', {}, name));
  if (isCoordinator) who.append(' ', element('span', { className: 'role' }, 'coordinator'));
  const cells = [details.id, details.address, duration(details.idle), duration(details.online)];
  return element('tr', {}, who, ...cells.map((cell) => element('td', {}, cell)));
}

/** Seconds as people say them: the two largest units. */
function duration(seconds) {
  const [s, m, h] = [seconds % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600)];
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}
