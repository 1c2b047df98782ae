// A list of elements that is updated by difference: an element stays as long as its item does, with its focus and its place
// under a finger. Long lists are updated over several frames.

import { eachFrame, slice } from './frames.js';

export class KeyedList {
  #parent;
  #make;
  #update;
  #removing;
  /** The elements by their items' keys. */
  #rows = new Map();
  #items = [];
  #ask = eachFrame(() => this.#work());

  /**
   * Items have a `key` and are replaced, never changed. `make(item)` returns an element, `update(element, item)` changes it.
   * `removing(element)`: it is about to be removed.
   */
  constructor(parent, { make, update, removing = () => {} }) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
    this.#removing = removing;
  }

  /** Shows these items in this order, with the next frames. */
  show(items) {
    if (items === this.#items) return;
    this.#items = items;
    this.#ask();
  }

  /** The element of the item with this key, if it is shown. */
  element(key) {
    return this.#rows.get(key)?.element;
  }

  /** Does a slice of the work. Returns whether some is left. */
  #work() {
    const isOver = slice();
    if (this.#remove(isOver)) return true;
    let next = this.#parent.firstElementChild;
    for (const item of this.#items) {
      const element = this.#place(item, next);
      next = element === next ? next.nextElementSibling : next;
      if (isOver()) return true;
    }
    return false;
  }

  /** Removes elements whose items are gone. Returns whether some are left. */
  #remove(isOver) {
    const wanted = new Set(this.#items.map(({ key }) => key));
    for (const [key, { element }] of this.#rows) {
      if (wanted.has(key)) continue;
      if (isOver()) return true;
      this.#removing(element);
      element.remove();
      this.#rows.delete(key);
    }
    return false;
  }

  /** Makes or updates the element of an item, and puts it before `next` if it is not there. */
  #place(item, next) {
    const row = this.#rows.get(item.key) ?? { element: this.#make(item), item };
    this.#rows.set(item.key, row);
    if (row.item !== item) this.#update(row.element, item);
    row.item = item;
    if (row.element !== next) this.#parent.insertBefore(row.element, next);
    return row.element;
  }
}
