// The dialog for the user's name. It asks for a name, shows why a name is refused, and remembers the last one. For joining it is modal,
// since the room cannot be used before. For a change of the name it is a popover, and the room stays usable beside it.

/** The key in the local storage. One origin may serve several chats, each under its own path. */
const NAME_KEY = `chinwag.name ${new URL('.', location.href).pathname}`;

const byId = (id) => document.getElementById(id);

export class NameDialog {
  #dialog = byId('name-dialog');
  #input = byId('name');
  #isJoining = false;
  #remembered = loadName();

  /** `take(name)` is called with the name that the user enters. The dialog stays open until `close()`. */
  constructor(take) {
    byId('name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const name = this.#input.value.trim();
      if (!name) return this.refuse('Type a name first.');
      this.#explain('');
      byId('take-name').disabled = true;
      take(name);
    });
    this.#input.addEventListener('input', () => this.#explain(''));
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
    this.#input.setAttribute('aria-invalid', text !== '');
  }
}

function loadName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}
