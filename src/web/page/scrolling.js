// Keeps a panel where it is read: at its end as long as it is there, else at the entry that is at its top, whatever is added,
// removed or laid out anew above it.

/** How near to the end a panel is taken to be at it, in CSS pixels. */
const AT_END_PX = 48;

export class Scroller {
  #panel;
  #moved;
  #isAtEnd = true;
  /** The entry at the top of what is seen, and how far below the panel's top it begins. */
  #anchor = null;

  /** `moved()`: another part may be seen now. */
  constructor(panel, moved) {
    this.#panel = panel;
    this.#moved = moved;
    panel.addEventListener('scroll', () => this.#look());
    // The width changes with the window and the canvas, the height when the box below grows or a keyboard comes up.
    new ResizeObserver(() => this.#restore()).observe(panel);
  }

  get isAtEnd() {
    return this.#isAtEnd;
  }

  /** Whether somebody who reads further up will soon be at the begin. */
  get isNearStart() {
    return !this.#isAtEnd && this.#panel.scrollTop < this.#panel.clientHeight;
  }

  /** Changes what the panel shows, and keeps it where it is read. */
  around(change) {
    change();
    this.#restore();
  }

  toEnd() {
    this.#panel.scrollTop = this.#panel.scrollHeight;
    this.#look();
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#panel;
    this.#isAtEnd = scrollHeight - clientHeight - scrollTop < AT_END_PX;
    this.#anchor = this.#isAtEnd ? null : this.#topmost();
    this.#moved();
  }

  #restore() {
    if (this.#isAtEnd) return this.toEnd();
    if (this.#anchor?.node.isConnected) {
      this.#panel.scrollTop += this.#offset(this.#anchor.node) - this.#anchor.offset;
    } else {
      this.#anchor = this.#topmost();
    }
  }

  #topmost() {
    const { children } = this.#panel;
    let [low, high] = [0, children.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { bottom } = children[middle].getBoundingClientRect();
      if (bottom > this.#panel.getBoundingClientRect().top) high = middle;
      else low = middle + 1;
    }
    const node = children[low];
    return node ? { node, offset: this.#offset(node) } : null;
  }

  #offset(node) {
    return node.getBoundingClientRect().top - this.#panel.getBoundingClientRect().top;
  }
}
