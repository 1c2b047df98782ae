// Desktop notifications for whispers and mentions while the page is out of sight. They are off until the user turns them on.

import { load, store } from './storage.js';

/** Longest text in a notification, in characters. */
const TEXT_MAX = 200;

export class Notifications {
  #button = document.getElementById('notify');
  #isOn = false;

  /** `explain(text)` shows the reason why they cannot be turned on. */
  constructor(explain) {
    // Without TLS, browsers allow them on localhost only.
    this.#button.hidden = !('Notification' in globalThis) || !isSecureContext;
    if (this.#button.hidden) return;
    this.#show(load('localStorage', 'notify') === true && Notification.permission === 'granted');
    this.#button.addEventListener('click', async () => {
      const isWanted = !this.#isOn;
      const isAllowed = !isWanted || (await Notification.requestPermission()) === 'granted';
      if (!isAllowed) explain('Your browser blocks notifications from this page. Allow them in its settings, and try again.');
      this.#show(isWanted && isAllowed);
      store('localStorage', 'notify', this.#isOn);
    });
  }

  /** Shows a notification for a whisper or mention, if notifications are on. `place` names the room; `open()` shows it. */
  notify({ kind, name, text }, place, open) {
    if (!this.#isOn) return;
    const title = kind === 'whisper' ? `${name} whispers to you` : `${name} mentions you${place && ` in ${place}`}`;
    try {
      const options = { body: text.slice(0, TEXT_MAX), tag: `chinwag ${location.href}`, renotify: true };
      const notification = new Notification(title, options);
      notification.onclick = () => {
        focus();
        open();
        notification.close();
      };
    } catch {
      // Chrome on Android has the constructor, but it throws.
      this.#button.hidden = true;
      this.#isOn = false;
    }
  }

  #show(isOn) {
    this.#isOn = isOn;
    this.#button.setAttribute('aria-pressed', isOn);
    this.#button.title = isOn ? 'Notifications are on' : 'Notify me of whispers and mentions';
  }
}
