// The box for messages. Enter sends, Tab completes names. Text that cannot be sent stays in the box, and refused text returns to it.

import { completions } from './completion.js';
import { element, nameNode } from './text.js';
import { readLine } from './typed.js';
import { NOT_SENT_DISCONNECTED } from './wording.js';

/** The share of the limit from which on the length of a message is shown. */
const LENGTH_SHOWN_FROM = 0.8;

/** Largest height of the box, in lines. */
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
  #isComposing = false;
  /** Refused text at the beginning of the box, until the user edits it. */
  #givenBack = '';

  /**
   * - `send(lines)` sends the lines, or returns the reason why it does not.
   * - `names()` returns the names that Tab completes.
   * - `measure(lines)` returns `{ bytes, max }` of the longest message.
   * - `changed()` is called when the text changes.
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
    this.#box.addEventListener('compositionstart', () => (this.#isComposing = true));
    this.#box.addEventListener('compositionend', () => (this.#isComposing = false));
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

  /** Shows the recipients of the next message, as `{ name, isHere }`. An empty list means everybody. */
  address(recipients) {
    this.#recipients = recipients;
    this.#showRecipients();
  }

  /** Shows whether messages can be sent now. */
  set isConnected(isConnected) {
    if (isConnected && this.#error.textContent === NOT_SENT_DISCONNECTED) this.#fail('');
    this.#isConnected = isConnected;
    byId('send').setAttribute('aria-disabled', !isConnected);
    this.#showRecipients();
  }

  /** Puts refused text back into the box: after earlier refused text, and before text that the user has written since. */
  giveBack(text, reason) {
    // Waits for the end of a composition: a change of the box would abort it, or duplicate its text.
    if (this.#isComposing) {
      this.#box.addEventListener('compositionend', () => this.giveBack(text, reason), { once: true });
      return;
    }
    const { value } = this.#box;
    const isThere = this.#givenBack && `${value}\n`.startsWith(`${this.#givenBack}\n`);
    const before = isThere ? this.#givenBack : '';
    const written = isThere ? value.slice(before.length + 1) : value;
    this.#givenBack = before ? `${before}\n${text}` : text;
    this.text = written ? `${this.#givenBack}\n${written}` : this.#givenBack;
    this.#fail(reason);
  }

  /** Shows a text in the place of errors. */
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
    // Safari fires compositionend before the keydown that caused it. Only keyCode 229 marks this keydown.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'Tab' && !event.shiftKey && this.#complete()) {
      event.preventDefault();
    }
  }

  /** Completes the word before the cursor; if repeated, with the next name. Returns false if Tab should move the focus. */
  #complete() {
    const { selectionStart: at, value } = this.#box;
    // If the text or the cursor has changed since, completes another word.
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
    // For browsers without `field-sizing`.
    this.#box.rows = Math.min(this.#box.value.split('\n').length, ROWS_MAX);
    this.#showRecipients();
    this.#showLength();
    this.#changed();
  }

  /** Shows the recipients that the text names or, if it names none, the members chosen in the list. */
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
    this.#box.placeholder = isWhisper ? 'Only these members will read this' : 'Message to everybody';
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

/** The lines of the box without blank ones. Each is sent by itself. */
function linesOf(text) {
  return text.split('\n').filter((line) => line.trim());
}

function recipientNodes({ name, isHere }) {
  return [', ', nameNode(name), ...(isHere ? [] : [element('span', { className: 'absent' }, ' (not here)')])];
}

/** Replaces content only if its text differs, so that screen readers announce only changes. */
function replaceIfChanged(parent, nodes) {
  const made = element('span', {}, ...nodes);
  if (made.textContent !== parent.textContent) parent.replaceChildren(...made.childNodes);
}
