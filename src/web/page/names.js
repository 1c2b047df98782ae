// Asks for a name, explains what is wrong with one, and remembers it.

/** Under one origin there may be several chats, each under a path of its own. */
const REMEMBERED = `chinwag.name ${new URL('.', location.href).pathname}`;

const byId = (id) => document.getElementById(id);

export class NameDialog {
  #dialog = byId('name-dialog');
  #input = byId('name');
  #isForced = true;

  /** `take(name)`: this name is wanted. The dialog stays until `close()`. */
  constructor(take) {
    this.#input.value = remembered();
    byId('name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const name = this.#input.value.trim();
      if (!name) return this.refuse('Write a name first.');
      this.#explain('');
      byId('take-name').disabled = true;
      take(name);
    });
    this.#input.addEventListener('input', () => this.#explain(''));
    // Enter ends a composition first; see the composer.
    this.#input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.isComposing || event.keyCode === 229)) event.preventDefault();
    });
    byId('keep-name').addEventListener('click', () => this.close());
    this.#dialog.addEventListener('cancel', (event) => this.#isForced && event.preventDefault());
    // Some browsers close it on a second Escape whatever the page says.
    this.#dialog.addEventListener('close', () => this.#isForced && this.#dialog.showModal());
  }

  /** Asks for a name to join by; `reason` says why the user is not in the room any more. */
  askToJoin(reason = '') {
    this.#open(`Join the chat at ${location.host}`, 'Join', reason, true);
  }

  askToRename(me) {
    this.#input.value = me;
    this.#open('Change your name', 'Change', '', false);
  }

  /** Says why there is no answer yet; another name may be tried. */
  wait(text) {
    this.#explain(text);
    byId('take-name').disabled = false;
  }

  refuse(text) {
    this.wait(text);
    this.#input.select();
    this.#input.focus();
  }

  remember(name) {
    try {
      localStorage.setItem(REMEMBERED, name);
    } catch {
      // A browser may be told to keep nothing. Then it asks each time.
    }
    this.#input.value = name;
  }

  close() {
    this.#isForced = false;
    this.#dialog.close();
  }

  get isOpen() {
    return this.#dialog.open;
  }

  #open(title, action, reason, isForced) {
    this.#isForced = isForced;
    this.#explain('');
    byId('name-title').textContent = title;
    byId('take-name').textContent = action;
    byId('take-name').disabled = false;
    byId('keep-name').hidden = isForced;
    byId('name-place').hidden = !isForced || reason !== '';
    byId('name-reason').textContent = reason;
    byId('name-reason').hidden = !reason;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.focus();
    this.#input.select();
  }

  #explain(text) {
    byId('name-error').textContent = text;
    this.#input.setAttribute('aria-invalid', text !== '');
  }
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED) ?? '';
  } catch {
    return '';
  }
}
