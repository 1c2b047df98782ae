// A list of elements that is updated in place: an element lives as long as its item, so it keeps the focus and a press in progress. Long
// lists are updated over several frames.

import { oncePerFrame, slice } from './frames.js';

export class KeyedList {
  #parent;
  #make;
  #update;
  #removing;
  /** `{ element, item }` by the item's key. */
  #rows = new Map();
  #items = [];
  #request = oncePerFrame(() => this.#work());

  /**
   * Items have a `key` and are immutable. `make(item)` returns an element, `update(element, item)` changes it,
   * `removing(element)` is called before an element is removed.
   */
  constructor(parent, { make, update, removing = () => {} }) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
    this.#removing = removing;
  }

  /** Shows these items, in this order, within the next frames. */
  show(items) {
    if (items === this.#items) return;
    this.#items = items;
    this.#request();
  }

  /** Removes all elements at once. */
  clear() {
    this.#items = [];
    this.#rows.clear();
    this.#parent.replaceChildren();
  }

  /** The element of the item with this key, if it is shown. */
  element(key) {
    return this.#rows.get(key)?.element;
  }

  /** Does a slice of the update. Returns whether work is left. */
  #work() {
    const isOver = slice();
    if (this.#remove(isOver)) return true;
    let next = this.#parent.firstElementChild;
    for (const item of this.#items) {
      const row = this.#rows.get(item.key);
      const isInPlace = row?.item === item && row.element === next;
      const element = isInPlace ? next : this.#place(item, next);
      next = element === next ? next.nextElementSibling : next;
      // Rows of an earlier slice do not count: each slice gets further, even on a slow machine.
      if (!isInPlace && isOver()) return true;
    }
    return false;
  }

  /** Removes the elements whose items are gone. Returns whether any are left. */
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

  /** Creates or updates the element of an item, and moves it before `next` if it is elsewhere. */
  #place(item, next) {
    const row = this.#rows.get(item.key) ?? { element: this.#make(item), item };
    this.#rows.set(item.key, row);
    if (row.item !== item) this.#update(row.element, item);
    row.item = item;
    if (row.element !== next) this.#insert(row.element, next);
    return row.element;
  }

  /** Inserts or moves an element. The browser takes the focus from a moved element; this gives it back. */
  #insert(element, next) {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    this.#parent.insertBefore(element, next);
    focused?.focus({ preventScroll: true });
  }
}
