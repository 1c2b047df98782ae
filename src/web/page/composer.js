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
  #words;
  #measure;
  #changed;
  #completion = null;
  #draft = null;
  /** The draft, and those from which `/join` has led to it, one after the other. */
  #sources = new Set();
  #audience = 'everybody';
  #isConnected = false;
  #isComposing = false;

  /**
   * - `send(lines)` sends the lines, or returns the reason why it does not.
   * - `words()` returns what Tab completes: `{ names, rooms, commands }`.
   * - `measure(lines)` returns `{ bytes, max }` of the longest message.
   * - `changed(draft)` is called when the text changes.
   */
  constructor({ send, words, measure, changed }) {
    this.#send = send;
    this.#words = words;
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

  /**
   * Shows a draft, to be edited and sent. `from` is the draft in which the user has typed `/join` for this one, if that is so. Text typed
   * since then moves, unless the user has opened another room meanwhile.
   */
  open(draft, from = null) {
    const before = this.#draft;
    const isMoving = this.#sources.has(from);
    if (!isMoving) this.#sources.clear();
    this.#sources.add(draft);
    this.#draft = draft;
    draft.takeOver(isMoving ? before : null);
    this.#show();
    if (isMoving) this.#changed(before);
  }

  /** Calls `job` once the user composes no text. A change of the box would abort the composition, or duplicate its text. */
  afterComposition(job) {
    if (this.#isComposing) this.#box.addEventListener('compositionend', job, { once: true });
    else job();
  }

  focus() {
    this.#box.focus();
  }

  /** Names the recipients of a message that is not a whisper: everybody, or a room. */
  set audience(audience) {
    if (audience === this.#audience) return;
    this.#audience = audience;
    this.#showRecipients();
  }

  /** Shows the recipients of the draft, which have changed. */
  address(draft) {
    if (draft === this.#draft) this.#showRecipients();
  }

  /** Shows whether messages can be sent now. */
  set isConnected(isConnected) {
    if (isConnected && this.#error.textContent === NOT_SENT_DISCONNECTED) this.#fail('');
    this.#isConnected = isConnected;
    byId('send').setAttribute('aria-disabled', !isConnected);
    this.#showRecipients();
  }

  /** Puts refused text back into its draft. */
  giveBack(draft, text, reason) {
    if (this.#isComposing && draft === this.#draft) return this.afterComposition(() => this.giveBack(draft, text, reason));
    draft.giveBack(text, reason);
    if (draft === this.#draft) this.#show();
    else this.#changed(draft);
  }

  /** Shows a text in the place of errors. */
  explain(text) {
    this.#fail(text);
  }

  #submit() {
    const draft = this.#draft;
    draft.text = this.#box.value;
    const lines = linesOf(this.#box.value);
    const focused = document.activeElement;
    const reason = lines.length ? this.#send(lines) : '';
    if (!reason) {
      draft.sent();
      draft.reason = '';
    }
    // The lines may have opened another room.
    if (draft !== this.#draft) return this.#changed(draft);
    this.#box.value = draft.text;
    this.#textChanged();
    this.#fail(reason);
    // A command may have opened a dialog.
    if (document.activeElement === focused) this.focus();
  }

  #show() {
    this.#box.value = this.#draft.text;
    this.#textChanged();
    const isOutdated = this.#isConnected && this.#draft.reason === NOT_SENT_DISCONNECTED;
    this.#fail(isOutdated ? '' : this.#draft.reason);
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
      this.#completion = { ...completions(value.slice(0, at), this.#words()), turn: 0 };
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
    this.#draft.text = this.#box.value;
    this.#showRecipients();
    this.#showLength();
    this.#changed(this.#draft);
  }

  /** Shows the recipients that the text names or, if it names none, the members chosen in the list. */
  #showRecipients() {
    const [line = ''] = linesOf(this.#box.value);
    const typed = readLine(line);
    const named = typed.kind === 'whisper' ? typed.names.map((name) => ({ name, isHere: true })) : null;
    const recipients = named ?? this.#draft.recipients.list;
    const isWhisper = recipients.length > 0;
    byId('composer').classList.toggle('private', isWhisper);
    byId('whispering').hidden = !isWhisper;
    byId('to-all').hidden = named !== null;
    replaceIfChanged(byId('whispered-to'), recipients.flatMap(recipientNodes).slice(1));
    byId('send').textContent = this.#isConnected ? (isWhisper ? 'Whisper' : 'Send') : 'Waiting…';
    this.#box.placeholder = isWhisper ? 'Only these members will read this' : `Message to ${this.#audience}`;
  }

  #showLength() {
    const { bytes, max } = this.#measure(linesOf(this.#box.value));
    const length = byId('length');
    length.hidden = bytes < max * LENGTH_SHOWN_FROM;
    length.textContent = `${bytes.toLocaleString()} of ${max.toLocaleString()} bytes`;
    length.classList.toggle('too-long', bytes > max);
  }

  #fail(reason) {
    this.#draft.reason = reason;
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
