// The list of access tokens in the dialog of the account: the devices that stay logged in, and the scripts that log in with one.

import { shortDate } from './dates.js';
import { KeyedList } from './lists.js';
import { element } from './text.js';

const byId = (id) => document.getElementById(id);

export class TokenList {
  #items = byId('token-list');
  #list = new KeyedList(this.#items, {
    make: (token) => update(made(), token), update, removing: (item) => this.#keepFocus(item),
  });

  /** `revoke(number)` revokes a token. */
  constructor(revoke) {
    this.#items.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (button) revoke(Number(button.dataset.number));
    });
  }

  /** Shows the tokens, the newest first. `own` is the number of the one that this device keeps, or null. */
  show(tokens, own) {
    const items = tokens.map((token) => ({ ...token, key: token.number, isOwn: token.number === own }));
    this.#list.show(items.toSorted((one, other) => other.number - one.number));
    this.explain(tokens.length ? '' : 'No device stays logged in, and no script has a token.');
  }

  /** Shows a text below the list. */
  explain(text) {
    byId('token-status').textContent = text;
  }

  clear() {
    this.#list.clear();
    this.explain('');
  }

  /** Moves the focus from a revoked token to the next one, or to the title. */
  #keepFocus(item) {
    if (!item.contains(document.activeElement)) return;
    const near = item.nextElementSibling ?? item.previousElementSibling;
    (near?.querySelector('button') ?? byId('account-title')).focus();
  }
}

function made() {
  const about = element('div', {}, element('bdi', { className: 'token-label' }), element('span', { className: 'token-dates' }));
  return element('li', {}, about, element('button', { type: 'button' }, 'Revoke'));
}

function update(item, { number, label, createdAt, expiresAt, usedOn, isOwn }) {
  const [about, button] = item.children;
  const [title, dates] = about.children;
  const shown = isOwn ? `${label} (this device)` : label;
  title.textContent = shown;
  const used = usedOn ? `last used ${day(usedOn)}` : 'never used';
  dates.textContent = `made ${day(createdAt)}, ${used}, expires ${day(expiresAt)}`;
  button.dataset.number = number;
  button.setAttribute('aria-label', `Revoke ${shown}`);
  return item;
}

function day(time) {
  return shortDate(new Date(time));
}
