// Keeps the scroll position of a panel while its content changes: at its end if the user is there, otherwise at the topmost visible entry.

/** Largest distance from the end that counts as being at the end, in CSS pixels. */
const AT_END_PX = 48;

export class Scroller {
  #panel;
  #isComplete;
  #moved;
  #isAtEnd = true;
  /** The topmost visible entries, with their distances from the panel's top. Several, because one may be removed. */
  #anchors = [];
  #width = 0;
  #height = 0;
  /** Whether a press is in progress in the panel, and whether the view must move to the end after it. */
  #isHeld = false;
  #isBehind = false;
  /** The scroll position that was set last. The browser rounds it, so measuring the anchors after each change would add up errors. */
  #placed = null;

  /** `isComplete()` says whether the panel shows the newest entry. `moved()` is called when the view may have changed. */
  constructor(panel, { isComplete, moved }) {
    this.#panel = panel;
    this.#isComplete = isComplete;
    this.#moved = moved;
    panel.addEventListener('scroll', () => this.#scrolled());
    // The window, the canvas, the composer and a phone's keyboard change the size.
    new ResizeObserver(() => this.#restore()).observe(panel);
  }

  get isAtEnd() {
    return this.#isAtEnd;
  }

  /** Whether the view follows the newest entry. */
  get isFollowing() {
    return this.#isAtEnd && !this.#isHeld;
  }

  /** The scroll position as `{ entry, offset }` of the topmost entries; null at the end. `entryOf(node)` is the entry of an element. */
  save(entryOf) {
    if (this.#isAtEnd) return null;
    return this.#anchors.map(({ node, offset }) => ({ entry: entryOf(node), offset })).filter(({ entry }) => entry);
  }

  /** Restores the position in other content, from `{ node, offset }` of the topmost entries; none means the end. */
  load(anchors) {
    this.#anchors = anchors;
    this.#isAtEnd = !anchors.length;
    [this.#isHeld, this.#isBehind] = [false, false];
    this.#restore();
  }

  /** Keeps the view still during a press, so that the pressed link or the selected text does not move under the pointer. */
  hold() {
    this.#isHeld = true;
    this.#anchors = this.#topmost();
  }

  /** Ends the hold. Returns whether the view must move to the end. */
  release() {
    const isBehind = this.#isHeld && this.#isBehind;
    [this.#isHeld, this.#isBehind] = [false, false];
    return isBehind;
  }

  /** Whether the user reads further up, and is less than a page from the start of the panel. */
  get isNearStart() {
    return !this.#isAtEnd && this.#panel.scrollTop < this.#panel.clientHeight;
  }

  /** Whether the user reads further up, and is less than a page from the end of the panel. */
  get isNearEnd() {
    return !this.#isAtEnd && this.#belowPx() < this.#panel.clientHeight;
  }

  /** Changes the content without moving the view. Returns the result of `change`. */
  around(change) {
    const result = change();
    this.#restore();
    return result;
  }

  toEnd() {
    this.#panel.scrollTop = this.#panel.scrollHeight;
    this.#readPosition();
  }

  #scrolled() {
    // If the size has changed, the browser has scrolled, not the user.
    if (this.#hasNewSize()) this.#restore();
    else if (this.#panel.scrollTop !== this.#placed) this.#readPosition();
    else this.#moved();
  }

  #hasNewSize() {
    const { clientWidth, clientHeight } = this.#panel;
    return clientWidth !== this.#width || clientHeight !== this.#height;
  }

  #readPosition() {
    const { clientWidth, clientHeight } = this.#panel;
    [this.#width, this.#height] = [clientWidth, clientHeight];
    this.#placed = null;
    // At the end, the next frames show newer entries.
    this.#isAtEnd = this.#belowPx() < AT_END_PX && (this.#isAtEnd || this.#isComplete());
    this.#anchors = this.#isAtEnd ? [] : this.#topmost();
    this.#moved();
  }

  #restore() {
    if (this.isFollowing) return this.toEnd();
    this.#isBehind ||= this.#isAtEnd;
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
