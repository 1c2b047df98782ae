// The menu of a member: at its name in the list of members, and at its name in the log. It shows what the user may do; keys move in it as in
// the menus of desktop programs.

import { element, nameNode } from './text.js';

/** The labels of the actions. Those with dots open a dialog. */
const LABELS = {
  whisper: 'Whisper',
  mute: 'Mute…',
  kick: 'Remove…',
  ban: 'Ban…',
  'ban-connection': 'Ban the connection…',
  appoint: 'Make moderator',
  dismiss: 'Take back moderator',
  delete: 'Delete message',
};

/** Distance from the edges of the window, in CSS pixels. */
const EDGE_PX = 8;

const byId = (id) => document.getElementById(id);

export class MemberMenu {
  #popover = byId('member-menu');
  #items = byId('menu-items');
  #actionsOf;
  #run;
  /** The member, `{ key, name }`; the key is undefined for a name that no member has. */
  #subject = null;

  /** `actionsOf(subject)` lists what the user may do, `run(action, subject)` does it. */
  constructor({ actionsOf, run }) {
    this.#actionsOf = actionsOf;
    this.#run = run;
    this.#items.addEventListener('click', ({ target }) => this.#click(target.closest('button')));
    this.#popover.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Opens the menu of a member below an element. Does nothing if the user may do nothing. */
  open(subject, anchor) {
    this.#subject = subject;
    if (!this.#show()) return;
    if (this.#isOpen) this.#popover.hidePopover();
    // The browser gives the focus back to this element.
    anchor.focus({ preventScroll: true });
    this.#popover.showPopover();
    this.#place(anchor.getBoundingClientRect());
    this.#items.firstElementChild.focus();
  }

  /** Shows what the user may do now, if the menu is open. */
  refresh() {
    if (this.#isOpen && !this.#show()) this.#popover.hidePopover();
  }

  get #isOpen() {
    return this.#popover.matches(':popover-open');
  }

  /** Shows the actions; the same one keeps the focus. Returns whether there are any. */
  #show() {
    const actions = this.#actionsOf(this.#subject);
    byId('menu-name').replaceChildren(nameNode(this.#subject.name));
    const shown = [...this.#items.children].map((button) => button.dataset.action);
    if (shown.join() === actions.join()) return actions.length > 0;
    const focused = this.#items.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    this.#items.replaceChildren(...actions.map(itemOf));
    if (focused) this.#items.children[Math.max(actions.indexOf(focused), 0)]?.focus();
    return actions.length > 0;
  }

  #click(button) {
    if (!button) return;
    const subject = this.#subject;
    this.#popover.hidePopover();
    this.#run(button.dataset.action, subject);
  }

  #key(event) {
    const items = [...this.#items.children];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Tab') this.#popover.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    items.at(to % items.length).focus();
  }

  /** Places the menu below the anchor or, without space there, above it, within the window. */
  #place({ left, top, bottom }) {
    const { offsetWidth: width, offsetHeight: height } = this.#popover;
    const below = bottom + height + EDGE_PX <= innerHeight;
    const y = below ? bottom : Math.max(top - height, EDGE_PX);
    const x = Math.min(left, innerWidth - width - EDGE_PX);
    this.#popover.style.left = `${Math.max(x, EDGE_PX)}px`;
    this.#popover.style.top = `${y}px`;
  }
}

function itemOf(action) {
  const button = element('button', { type: 'button' }, LABELS[action]);
  button.setAttribute('role', 'menuitem');
  button.dataset.action = action;
  return button;
}
