// The head of a room, above its messages: the name, the topic, and buttons to change the topic and to leave.

import { textNodes } from './text.js';

/** Longest topic that the server accepts, in bytes. */
const TOPIC_BYTES_MAX = 512;

const byId = (id) => document.getElementById(id);

export class RoomHead {
  #dialog = byId('topic-dialog');
  #input = byId('topic-text');
  #topic = null;
  #me = null;

  /** `setTopic(text)` sets the topic; the dialog stays open until `close()`. `leave()` leaves the room. */
  constructor({ setTopic, leave }) {
    byId('leave-room').addEventListener('click', leave);
    byId('set-topic').addEventListener('click', () => this.#open());
    byId('keep-topic').addEventListener('click', () => this.close());
    this.#input.addEventListener('input', () => this.refuse(''));
    byId('topic-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      const length = new TextEncoder().encode(text).length;
      if (length > TOPIC_BYTES_MAX) return this.refuse(`The topic has ${length} bytes; the limit is ${TOPIC_BYTES_MAX}. Shorten it.`);
      setTopic(text);
    });
  }

  /** Shows a room. It is not shown if it is the only one, the lobby, and has no topic. */
  show({ name, topic, me }, { isShown, isOnly }) {
    byId('room-head').hidden = !isShown;
    setText(byId('room-name'), name);
    const label = isOnly ? 'Messages' : `Messages in ${name}`;
    if (byId('log').ariaLabel !== label) byId('log').setAttribute('aria-label', label);
    byId('leave-room').hidden = isOnly;
    if (topic === this.#topic && me === this.#me) return;
    [this.#topic, this.#me] = [topic, me];
    byId('topic').replaceChildren(...textNodes(topic, me));
    byId('topic').title = topic;
    byId('topic').hidden = !topic;
  }

  refuse(reason) {
    byId('topic-error').textContent = reason;
  }

  close() {
    this.#dialog.hidePopover();
  }

  #open() {
    this.refuse('');
    this.#input.value = this.#topic;
    this.#dialog.showPopover();
    this.#input.focus();
    this.#input.select();
  }
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
