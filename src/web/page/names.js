// The dialog with which the user joins: under a name, or with an account; also for the password of the server. It shows why something is
// refused, and remembers the last name. For joining it is modal, since the room cannot be used before. For a change of the name, or a login
// of a guest, it is a popover, and the room stays usable beside it.

import { LoginForm } from './login-form.js';

/** The key in the local storage. One origin may serve several chats, each under its own path. */
const NAME_KEY = `chinwag.name ${new URL('.', location.href).pathname}`;

const byId = (id) => document.getElementById(id);

export class NameDialog {
  #dialog = byId('name-dialog');
  #input = byId('name');
  #password = byId('password');
  #login;
  #isLoginShown = false;
  #isJoining = false;
  #remembered = loadName();

  /**
   * `take(name, password)` is called with what the user enters; the password may be empty. `logIn(fields)` is called with that of the form
   * for logins, `again()` to log in without typing. The dialog stays open until `close()`.
   */
  constructor({ take, logIn, again }) {
    this.#login = new LoginForm({ logIn, again });
    byId('name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const name = this.#input.value.trim();
      if (!name) return this.refuse('Type a name first.');
      this.#explain('');
      byId('take-name').disabled = true;
      take(name, byId('password-row').hidden ? '' : this.#password.value);
    });
    for (const input of [this.#input, this.#password]) input.addEventListener('input', () => this.#explain(''));
    this.#input.addEventListener('input', () => this.#proposeLogin(''));
    // Enter and Escape end a composition first; composer.js explains keyCode 229.
    this.#input.addEventListener('keydown', (event) => {
      if (['Enter', 'Escape'].includes(event.key) && (event.isComposing || event.keyCode === 229)) event.preventDefault();
    });
    for (const id of ['keep-name', 'keep-guest']) byId(id).addEventListener('click', () => this.close());
    byId('with-account').addEventListener('click', () => this.askToLogIn(byId('name-reason').textContent, this.#input.value.trim()));
    byId('without-account').addEventListener('click', () => this.#ask(byId('name-reason').textContent, this.#remembered));
    this.#dialog.addEventListener('cancel', (event) => event.preventDefault());
    // Some browsers close the dialog at a second Escape, although the page prevents it.
    this.#dialog.addEventListener('close', () => this.#isJoining && this.#showModal());
    // A popover may be closed by a click beside it.
    this.#dialog.addEventListener('toggle', () => this.#isOpen || this.#login.clear());
  }

  /** Whether it asks for the name to join with, or for a login. */
  get isJoining() {
    return this.#isJoining;
  }

  /** Whether it shows the form for logins. */
  get isLoginShown() {
    return this.#isOpen && this.#isLoginShown;
  }

  /** Offers a login in place of a name. `isRequired`: the server has no guests. */
  offerLogin({ isOffered, isRequired }) {
    byId('with-account').hidden = !isOffered;
    byId('without-account').hidden = isRequired;
    if (isOffered && isRequired && this.#isJoining && !this.#isLoginShown) byId('with-account').click();
  }

  /**
   * Asks for a name to join with, or for a login: if `isLogin`, or if the user was asked for one. `reason` explains why the user is not in
   * the room any more. `again` is the login of the button that needs no typing, `{ name, takesOver }`, or null for none.
   */
  askToJoin(reason = '', { name = this.#remembered, isLogin = false, again = null } = {}) {
    this.#isJoining = true;
    if (isLogin || this.isLoginShown) this.askToLogIn(reason, name, again);
    else this.#ask(reason, name);
  }

  /** Asks for a login: to join, or of a guest. */
  askToLogIn(reason = '', name = this.#remembered, again = null) {
    // Keeps what the user has begun to type.
    if (!this.isLoginShown) this.#login.fill(name);
    this.#showForm(true);
    this.#login.again = again;
    this.#show(`Log in at ${location.host}`, reason, name);
  }

  /** Shows or hides the button that logs in without typing. */
  set again(login) {
    this.#login.again = login;
  }

  askToRename(me) {
    this.#showForm(false);
    this.#show('Change your name', '', me);
    byId('take-name').textContent = 'Change';
  }

  /** The name belongs to an account: explains it, and proposes to log in. */
  refuseRegistered(text, name) {
    this.refuse(text);
    this.#proposeLogin(name);
    byId('with-account-row').hidden = false;
  }

  /** Lets the user try again. */
  enable() {
    this.#login.enable();
    byId('take-name').disabled = false;
  }

  /** Explains why there is no reply yet, and lets the user try again. */
  wait(text) {
    if (this.#isLoginShown) return this.#login.wait(text);
    this.#explain(text);
    byId('take-name').disabled = false;
  }

  refuse(text) {
    if (this.#isLoginShown) return this.#login.refuse(text);
    this.wait(text);
    this.#input.select();
    this.#input.focus();
  }

  /** Asks for the password of the server, too. A password manager may fill it in. */
  askPassword(text) {
    if (this.#isLoginShown) return this.#login.askServerPassword(text);
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
    this.#login.clear();
    this.#dialog.close();
    this.#dialog.hidePopover();
    this.#showForm(false);
  }

  #ask(reason, name) {
    this.#showForm(false);
    this.#show(`Join the chat at ${location.host}`, reason, name);
    byId('take-name').textContent = 'Join';
  }

  get #isOpen() {
    return this.#dialog.open || this.#dialog.matches(':popover-open');
  }

  /** Shows the form for logins, or the one for names. */
  #showForm(isLogin) {
    this.#isLoginShown = isLogin;
    byId('login-form').hidden = !isLogin;
    byId('name-form').hidden = isLogin;
  }

  #proposeLogin(name) {
    byId('with-account').textContent = name ? `Log in as ${name}` : 'Log in to an account';
  }

  #show(title, reason, name) {
    this.wait('');
    this.#proposeLogin('');
    // Keeps text that the user has begun to type.
    if (!this.#dialog.open) this.#input.value = name;
    byId('name-title').textContent = title;
    for (const id of ['keep-name', 'keep-guest']) byId(id).hidden = this.#isJoining;
    byId('name-place').hidden = !this.#isJoining || this.#isLoginShown || reason !== '';
    byId('name-reason').textContent = reason;
    byId('name-reason').hidden = !reason;
    for (const id of ['with-account-row', 'without-account-row']) byId(id).hidden = !this.#isJoining;
    if (this.#isJoining && !this.#dialog.open) this.#showModal();
    else if (!this.#isOpen) this.#dialog.showPopover();
    if (this.#isLoginShown) return this.#login.focus();
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
