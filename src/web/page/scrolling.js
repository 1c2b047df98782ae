// Keeps a panel where it is read: at its end as long as it is there, else at the entry that is at its top, whatever is added,
// removed or laid out anew above it.

/** How near to the end a panel is taken to be at it, in CSS pixels. */
const AT_END_PX = 48;

export class Scroller {
  #panel;
  #isComplete;
  #moved;
  #isAtEnd = true;
  /** The entries at the top of what is seen, and how far below the panel's top they begin. One of them may be removed. */
  #anchors = [];
  #width = 0;
  #height = 0;
  /** Where this has scrolled to. It is rounded: were the entries measured anew each time, they would wander. */
  #placed = null;

  /** `isComplete()`: the panel's end is the end of all there is. `moved()`: another part may be seen now. */
  constructor(panel, { isComplete, moved }) {
    this.#panel = panel;
    this.#isComplete = isComplete;
    this.#moved = moved;
    panel.addEventListener('scroll', () => this.#scrolled());
    // The width changes with the window and the canvas, the height when the box below grows or a keyboard comes up.
    new ResizeObserver(() => this.#restore()).observe(panel);
  }

  get isAtEnd() {
    return this.#isAtEnd;
  }

  /** Whether somebody who reads further up will soon be at the begin of the panel. */
  get isNearStart() {
    return !this.#isAtEnd && this.#panel.scrollTop < this.#panel.clientHeight;
  }

  /** Whether somebody who reads further up will soon be at the end of the panel. */
  get isNearEnd() {
    return !this.#isAtEnd && this.#belowPx() < this.#panel.clientHeight;
  }

  /** Changes what the panel shows, and keeps it where it is read. Returns what `change` does. */
  around(change) {
    const result = change();
    this.#restore();
    return result;
  }

  toEnd() {
    this.#panel.scrollTop = this.#panel.scrollHeight;
    this.#look();
  }

  #scrolled() {
    // Where the panel has another size, the browser has scrolled, and nobody else.
    if (this.#hasNewSize()) this.#restore();
    else if (this.#panel.scrollTop !== this.#placed) this.#look();
    else this.#moved();
  }

  #hasNewSize() {
    const { clientWidth, clientHeight } = this.#panel;
    return clientWidth !== this.#width || clientHeight !== this.#height;
  }

  #look() {
    const { clientWidth, clientHeight } = this.#panel;
    [this.#width, this.#height] = [clientWidth, clientHeight];
    this.#placed = null;
    // At the end, what is newer is about to be shown.
    this.#isAtEnd = this.#belowPx() < AT_END_PX && (this.#isAtEnd || this.#isComplete());
    this.#anchors = this.#isAtEnd ? [] : this.#topmost();
    this.#moved();
  }

  #restore() {
    if (this.#isAtEnd) return this.toEnd();
    const anchor = this.#anchors.find(({ node }) => node.isConnected);
    if (anchor) this.#panel.scrollTop += this.#offset(anchor.node) - anchor.offset;
    else this.#anchors = this.#topmost();
    this.#placed = this.#panel.scrollTop;
    const { clientWidth, clientHeight } = this.#panel;
    [this.#width, this.#height] = [clientWidth, clientHeight];
  }

  #belowPx() {
    const { scrollTop, scrollHeight, clientHeight } = this.#panel;
    return scrollHeight - clientHeight - scrollTop;
  }

  #topmost() {
    const { children } = this.#panel;
    const { top } = this.#panel.getBoundingClientRect();
    let [low, high] = [0, children.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (children[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    return [...children].slice(low, low + 3).map((node) => ({ node, offset: this.#offset(node) }));
  }

  #offset(node) {
    return node.getBoundingClientRect().top - this.#panel.getBoundingClientRect().top;
  }
}
