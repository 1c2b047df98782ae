// Who is here, and whom the next line is whispered to.

import { element, nameNode } from './text.js';

export class People {
  #list = document.getElementById('names');
  #count = document.getElementById('count');
  #changed;
  #people = null;
  #me = '';

  /** Whom the next line is for; nobody means everybody. One who leaves stays in it: a whisper never becomes public. */
  chosen = new Set();

  /** `changed()`: others are chosen. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Shows these, if they are others than before. */
  show(people, me) {
    if (people === this.#people && me === this.#me) return;
    this.#people = people;
    this.#me = me;
    const focused = document.activeElement?.dataset?.name;
    this.#count.textContent = people.length;
    this.#list.replaceChildren(...people.map((person) => this.#item(person)));
    if (focused) this.#button(focused)?.focus();
  }

  rename(from, to) {
    if (!this.chosen.delete(from)) return;
    this.chosen.add(to);
    this.#changed();
  }

  choose(names) {
    this.chosen = new Set(names);
    for (const button of this.#list.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', this.chosen.has(button.dataset.name));
    }
    this.#changed();
  }

  #item({ name, isCoordinator }) {
    const children = [nameNode(name)];
    if (isCoordinator) children.push(' ', element('span', { className: 'role' }, 'coordinator'));
    if (name === this.#me) return element('li', {}, element('span', { className: 'person' }, ...children, ' (you)'));
    const button = element('button', { type: 'button', className: 'person' }, ...children);
    button.dataset.name = name;
    button.setAttribute('aria-pressed', this.chosen.has(name));
    button.addEventListener('click', () => {
      if (!this.chosen.delete(name)) this.chosen.add(name);
      this.choose(this.chosen);
    });
    return element('li', {}, button);
  }

  #button(name) {
    return [...this.#list.querySelectorAll('button')].find((button) => button.dataset.name === name);
  }
}
