// The unsent text of a room with its recipients. It survives a reload in the session storage, which belongs to one tab: tabs do not
// overwrite each other's drafts, and a whisper does not stay in the browser for the next user of the machine.

import { Recipients } from './recipients.js';
import { load, store } from './storage.js';

export class Draft {
  text = '';
  /** The reason why the text, or a part of it, was not sent; or another text for the user. */
  reason = '';
  recipients;
  /** Whether the text was typed since a line was sent, and since the room was opened. */
  #isNew = false;
  #key;
  /** Refused text at the beginning, until the user edits it. */
  #givenBack = '';

  /** `changed(draft)` is called when the recipients change. */
  constructor(name, changed) {
    this.#key = `draft ${name}`;
    this.recipients = new Recipients(() => changed(this));
  }

  /** Puts refused text back: after earlier refused text, and before text that the user has written since. */
  giveBack(text, reason) {
    const { text: value } = this;
    const isThere = this.#givenBack && `${value}\n`.startsWith(`${this.#givenBack}\n`);
    const before = isThere ? this.#givenBack : '';
    const written = isThere ? value.slice(before.length + 1) : value;
    this.#givenBack = before ? `${before}\n${text}` : text;
    this.text = written ? `${this.#givenBack}\n${written}` : this.#givenBack;
    this.reason = reason;
  }

  /** Empties the text, which was sent. */
  sent() {
    this.text = '';
    this.#isNew = true;
    this.#givenBack = '';
  }

  /** The draft is opened. Takes the new text of another one, if that is not a whisper and this draft is empty. */
  takeOver(other) {
    const isFree = this.text === '' && !this.recipients.names.length;
    this.#isNew = isFree && other?.#isNew && !other.#givenBack && !other.recipients.names.length;
    if (!this.#isNew) return;
    this.text = other.text;
    other.text = '';
  }

  store() {
    const { text, recipients: { names } } = this;
    store('sessionStorage', this.#key, text || names.length ? { text, names } : null);
  }

  /** Loads the text and the recipients, members of this room. */
  restore(room) {
    const { text = '', names = [] } = load('sessionStorage', this.#key) ?? {};
    this.text = text;
    this.recipients.choose(names.map((name) => ({ name })), room);
  }
}
