// The form with which the user logs in, in the dialog of names.js. It also has a button that logs in without typing: with the access token
// that this device keeps, or with what was typed before.

import { SecretForm } from './secret-form.js';

const byId = (id) => document.getElementById(id);

export class LoginForm {
  #form;
  #button = byId('log-in-again');
  /** The login of the button, `{ name, takesOver }`, or null. */
  #again = null;

  /**
   * `logIn({ name, password, stays, server })` is called with what the user has typed; `server` is the password of the server.
   * `again(server)` logs in without typing.
   */
  constructor({ logIn, again }) {
    this.#form = new SecretForm(byId('login-form'), (fields) => logIn({ ...fields, name: fields.name.trim() }), problemOf);
    // The button stands for what was typed before.
    byId('login-form').addEventListener('input', ({ target }) => target.name !== 'server' && this.#again?.takesOver && (this.again = null));
    this.#button.addEventListener('click', () => {
      this.#form.wait('');
      again(this.#form.fields.server);
    });
  }

  set again(login) {
    this.#again = login;
    byId('again-row').hidden = !login;
    this.#button.textContent = login?.takesOver ? 'Log in here instead' : `Join as ${login?.name}`;
  }

  fill(name) {
    this.#form.fill({ name });
  }

  focus() {
    if (this.#again) this.#button.focus();
    else this.#form.focus();
  }

  enable() {
    this.#form.enable();
  }

  wait(text) {
    this.#form.wait(text);
  }

  refuse(text) {
    this.#form.refuse(text);
    if (this.#again) this.#button.focus();
  }

  /** Asks for the password of the server, too. */
  askServerPassword(text) {
    byId('server-password-row').hidden = false;
    byId('server-password').required = true;
    this.#form.wait(text);
    this.#form.focus('server');
  }

  /** Forgets what was typed. */
  clear() {
    byId('server-password-row').hidden = true;
    byId('server-password').required = false;
    this.again = null;
    this.fill('');
  }
}

function problemOf({ name }) {
  return name.trim() ? null : { text: 'Type a name first.', name: 'name' };
}
