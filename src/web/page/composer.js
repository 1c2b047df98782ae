// The box that messages are written in: Enter sends, Tab completes names, and nothing that was written is lost.

import { nameNode } from './text.js';

const byId = (id) => document.getElementById(id);

export class Composer {
  #box = byId('text');
  #error = byId('not-sent');
  #send;
  #names;
  #completion = null;
  /** What was given back, and stands at the begin of the box as long as nobody has changed it. */
  #givenBack = '';

  /** `send(lines)`: these are to be sent; whether they could be. `names()`: those that Tab completes. */
  constructor(send, names) {
    this.#send = send;
    this.#names = names;
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#box.addEventListener('keydown', (event) => this.#key(event));
    this.#box.addEventListener('input', () => this.#fail(''));
    byId('emoji').addEventListener('click', ({ target }) => target.value && this.#insert(target.value));
  }

  focus() {
    this.#box.focus();
  }

  /** Shows for whom the next line is. */
  address(chosen) {
    byId('whispering').hidden = chosen.length === 0;
    byId('whispered-to').replaceChildren(...chosen.flatMap((name) => [', ', nameNode(name)]).slice(1));
    byId('send').textContent = chosen.length ? 'Whisper' : 'Send';
  }

  /** Gives a text back that was not sent, and says why: after what was given back before it. What has been written meanwhile stays. */
  giveBack(text, reason) {
    const { value } = this.#box;
    const isThere = this.#givenBack && `${value}\n`.startsWith(`${this.#givenBack}\n`);
    const before = isThere ? this.#givenBack : '';
    const written = isThere ? value.slice(before.length + 1) : value;
    this.#givenBack = before ? `${before}\n${text}` : text;
    this.#box.value = written ? `${this.#givenBack}\n${written}` : this.#givenBack;
    this.#fail(reason);
  }

  #submit() {
    const lines = this.#box.value.split('\n').filter((line) => line.trim());
    const isKept = lines.length > 0 && !this.#send(lines);
    this.#box.value = isKept ? lines.join('\n') : '';
    this.#givenBack = '';
    this.#fail(isKept ? 'Not sent: there is no connection now. What you wrote is kept.' : '');
    this.focus();
  }

  #key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'Tab' && !event.shiftKey && this.#complete()) {
      event.preventDefault();
    } else if (event.key !== 'Shift') {
      this.#completion = null;
    }
  }

  /** Completes the name before the cursor; again, and it is the next one. Whether there was one, or Tab is to move on. */
  #complete() {
    const { selectionStart: at, value } = this.#box;
    if (!this.#completion) {
      const word = /[^\s,@]+$/.exec(value.slice(0, at))?.[0];
      if (!word) return false;
      const names = this.#names().filter((name) => name.toLowerCase().startsWith(word.toLowerCase()));
      this.#completion = { names, from: at - word.length, turn: 0 };
    }
    const { names, from, turn } = this.#completion;
    if (!names.length) {
      this.#completion = null;
      return false;
    }
    this.#completion.turn += 1;
    const name = names[turn % names.length];
    this.#box.setRangeText(from === 0 ? `${name}: ` : `${name} `, from, at, 'end');
    return true;
  }

  #insert(text) {
    const { selectionStart, selectionEnd } = this.#box;
    this.#box.setRangeText(text, selectionStart, selectionEnd, 'end');
    this.focus();
  }

  #fail(reason) {
    this.#error.textContent = reason;
    this.#error.hidden = !reason;
  }
}
