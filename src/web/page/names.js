// The dialog for the user's name, and for the password if the server has one. It asks for a name, shows why a name is refused, and remembers the last one. For joining it is modal,
// since the room cannot be used before. For a change of the name it is a popover, and the room stays usable beside it.

/** The key in the local storage. One origin may serve several chats, each under its own path. */
const NAME_KEY = `chinwag.name ${new URL('.', location.href).pathname}`;

const byId = (id) => document.getElementById(id);

export class NameDialog {
  #dialog = byId('name-dialog');
  #input = byId('name');
  #password = byId('password');
  #isJoining = false;
  #remembered = loadName();

  /** `take(name, password)` is called with what the user enters; the password may be empty. The dialog stays open until `close()`. */
  constructor(take) {
    byId('name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const name = this.#input.value.trim();
      if (!name) return this.refuse('Type a name first.');
      this.#explain('');
      byId('take-name').disabled = true;
      take(name, byId('password-row').hidden ? '' : this.#password.value);
    });
    for (const input of [this.#input, this.#password]) input.addEventListener('input', () => this.#explain(''));
    // Enter and Escape end a composition first; composer.js explains keyCode 229.
    this.#input.addEventListener('keydown', (event) => {
      if (['Enter', 'Escape'].includes(event.key) && (event.isComposing || event.keyCode === 229)) event.preventDefault();
    });
    byId('keep-name').addEventListener('click', () => this.close());
    this.#dialog.addEventListener('cancel', (event) => event.preventDefault());
    // Some browsers close the dialog at a second Escape, although the page prevents it.
    this.#dialog.addEventListener('close', () => this.#isJoining && this.#showModal());
  }

  /** Whether it asks for the name to join with. */
  get isJoining() {
    return this.#isJoining;
  }

  /** Asks for a name to join with. `reason` explains why the user is not in the room any more. */
  askToJoin(reason = '') {
    this.#isJoining = true;
    this.#show(`Join the chat at ${location.host}`, 'Join', reason, this.#remembered);
  }

  askToRename(me) {
    this.#show('Change your name', 'Change', '', me);
  }

  /** Explains why there is no reply yet, and lets the user try another name. */
  wait(text) {
    this.#explain(text);
    byId('take-name').disabled = false;
  }

  refuse(text) {
    this.wait(text);
    this.#input.select();
    this.#input.focus();
  }

  /** Asks for the password, too. A password manager may fill it in. */
  askPassword(text) {
    this.wait(text);
    byId('password-row').hidden = false;
    this.#password.required = true;
    this.#password.select();
    this.#password.focus();
  }

  remember(name) {
    try {
      localStorage.setItem(NAME_KEY, name);
    } catch {
      // If the browser refuses to store it, the dialog asks each time.
    }
    this.#remembered = name;
  }

  close() {
    this.#isJoining = false;
    // The session keeps it, in memory.
    this.#password.value = '';
    this.#password.required = false;
    byId('password-row').hidden = true;
    this.#dialog.close();
    this.#dialog.hidePopover();
  }

  #show(title, action, reason, name) {
    this.#explain('');
    // Keeps text that the user has begun to type.
    if (!this.#dialog.open) this.#input.value = name;
    byId('name-title').textContent = title;
    byId('take-name').textContent = action;
    byId('take-name').disabled = false;
    byId('keep-name').hidden = this.#isJoining;
    byId('name-place').hidden = !this.#isJoining || reason !== '';
    byId('name-reason').textContent = reason;
    byId('name-reason').hidden = !reason;
    if (!this.#isJoining) this.#dialog.showPopover();
    else if (!this.#dialog.open) this.#showModal();
    this.#input.focus();
    this.#input.select();
  }

  #showModal() {
    this.#dialog.hidePopover();
    this.#dialog.showModal();
  }

  #explain(text) {
    byId('name-error').textContent = text;
    for (const input of [this.#input, this.#password]) input.setAttribute('aria-invalid', text !== '');
  }
}

function loadName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}
