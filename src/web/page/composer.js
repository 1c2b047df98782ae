// The box that messages are written in: Enter sends, Tab completes names, and nothing that was written is lost.

import { completions } from './completion.js';
import { element, nameNode } from './text.js';
import { readLine } from './typed.js';
import { NOT_CONNECTED } from './wording.js';

/** From this share of the longest message on its length is shown. */
const LENGTH_SHOWN_FROM = 0.8;

/** Lines of the box that are shown at once. */
const ROWS_MAX = 6;

const byId = (id) => document.getElementById(id);

export class Composer {
  #box = byId('text');
  #error = byId('not-sent');
  #send;
  #names;
  #measure;
  #changed;
  #completion = null;
  #recipients = [];
  #isConnected = false;
  /** What was given back, and stands at the begin of the box as long as nobody has changed it. */
  #givenBack = '';

  /**
   * `send(lines)`: these are to be sent; returns why they are not, empty if they are. `names()`: those that Tab completes.
   * `measure(lines)`: the `{ bytes, max }` of the longest. `changed()`: another text is in the box.
   */
  constructor({ send, names, measure, changed }) {
    this.#send = send;
    this.#names = names;
    this.#measure = measure;
    this.#changed = changed;
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#box.addEventListener('keydown', (event) => this.#key(event));
    this.#box.addEventListener('input', () => {
      this.#fail('');
      this.#textChanged();
    });
    byId('emoji').addEventListener('click', ({ target }) => target.value && this.#insert(target.value));
  }

  get text() {
    return this.#box.value;
  }

  set text(text) {
    this.#box.value = text;
    this.#textChanged();
  }

  focus() {
    this.#box.focus();
  }

  /** Shows for whom the next message is: `{ name, isHere }` for each, or nobody for everybody. */
  address(recipients) {
    this.#recipients = recipients;
    this.#showRecipients();
  }

  /** Shows whether messages can be sent now. */
  set isConnected(isConnected) {
    if (isConnected && this.#error.textContent === NOT_CONNECTED) this.#fail('');
    this.#isConnected = isConnected;
    byId('send').setAttribute('aria-disabled', !isConnected);
    this.#showRecipients();
  }

  /** Gives a text back that was not sent, and says why: after what was given back before it. What has been written meanwhile stays. */
  giveBack(text, reason) {
    const { value } = this.#box;
    const isThere = this.#givenBack && `${value}\n`.startsWith(`${this.#givenBack}\n`);
    const before = isThere ? this.#givenBack : '';
    const written = isThere ? value.slice(before.length + 1) : value;
    this.#givenBack = before ? `${before}\n${text}` : text;
    this.text = written ? `${this.#givenBack}\n${written}` : this.#givenBack;
    this.#fail(reason);
  }

  /** Says what became of a command, in place of an error. */
  explain(text) {
    this.#fail(text);
  }

  #submit() {
    const lines = linesOf(this.#box.value);
    const reason = lines.length ? this.#send(lines) : '';
    if (!reason) {
      this.text = '';
      this.#givenBack = '';
    }
    this.#fail(reason);
    this.focus();
  }

  #key(event) {
    // Safari ends a composition before it tells of the key that ended it; then only the code 229 says so.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'Tab' && !event.shiftKey && this.#complete()) {
      event.preventDefault();
    }
  }

  /** Completes the word before the cursor; again, and it is the next one. Whether there was one, or Tab is to move on. */
  #complete() {
    const { selectionStart: at, value } = this.#box;
    // Where the cursor or the text is another one, another word is meant.
    if (this.#completion?.value !== value || this.#completion.at !== at) {
      this.#completion = { ...completions(value.slice(0, at), this.#names()), turn: 0 };
    }
    const { from, words, turn } = this.#completion;
    if (!words.length) return false;
    this.#box.setRangeText(words[turn % words.length], from, at, 'end');
    Object.assign(this.#completion, { turn: turn + 1, value: this.#box.value, at: this.#box.selectionStart });
    this.#textChanged();
    return true;
  }

  #insert(text) {
    const { selectionStart, selectionEnd } = this.#box;
    this.#box.setRangeText(text, selectionStart, selectionEnd, 'end');
    this.#textChanged();
    this.focus();
  }

  #textChanged() {
    // For browsers that do not fit the box to its text.
    this.#box.rows = Math.min(this.#box.value.split('\n').length, ROWS_MAX);
    this.#showRecipients();
    this.#showLength();
    this.#changed();
  }

  /** Shows for whom the next message is: those whom the text itself names, or those who are chosen. */
  #showRecipients() {
    const [line = ''] = linesOf(this.#box.value);
    const typed = readLine(line);
    const named = typed.kind === 'whisper' ? typed.names.map((name) => ({ name, isHere: true })) : null;
    const recipients = named ?? this.#recipients;
    const isWhisper = recipients.length > 0;
    byId('composer').classList.toggle('private', isWhisper);
    byId('whispering').hidden = !isWhisper;
    byId('to-all').hidden = named !== null;
    replaceIfChanged(byId('whispered-to'), recipients.flatMap(recipientNodes).slice(1));
    byId('send').textContent = this.#isConnected ? (isWhisper ? 'Whisper' : 'Send') : 'Waiting…';
    this.#box.placeholder = isWhisper ? 'Only they will read this' : 'Message to everybody';
  }

  #showLength() {
    const { bytes, max } = this.#measure(linesOf(this.#box.value));
    const length = byId('length');
    length.hidden = bytes < max * LENGTH_SHOWN_FROM;
    length.textContent = `${bytes.toLocaleString()} of ${max.toLocaleString()} bytes`;
    length.classList.toggle('too-long', bytes > max);
  }

  #fail(reason) {
    this.#error.textContent = reason;
    this.#error.hidden = !reason;
  }
}

/** Each line of the box is a message of its own; blank ones are none. */
function linesOf(text) {
  return text.split('\n').filter((line) => line.trim());
}

function recipientNodes({ name, isHere }) {
  return [', ', nameNode(name), ...(isHere ? [] : [element('span', { className: 'absent' }, ' (not here)')])];
}

/** Screen readers read the recipients aloud when they change, not when they are shown again. */
function replaceIfChanged(parent, nodes) {
  const made = element('span', {}, ...nodes);
  if (made.textContent !== parent.textContent) parent.replaceChildren(...made.childNodes);
}
