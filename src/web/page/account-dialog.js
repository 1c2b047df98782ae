// The dialog of the user's account. A guest registers in it; the owner changes the password, lists and revokes access tokens, lets this
// device stay logged in, logs out, and deletes the account. It shows one view at a time.

import { shortDate } from './dates.js';
import { problemOfPassword } from './secrets.js';
import { SecretForm } from './secret-form.js';
import { TokenList } from './tokens.js';
import { refusal } from './wording.js';

const NOT_CONNECTED = 'Not connected. Try again later.';

const TITLES = {
  overview: () => 'Your account',
  register: (name) => `Make ${name} an account`,
  change: () => 'Change your password',
  confirm: () => 'Type your password again',
  tokens: () => 'Access tokens',
  remove: (name) => `Delete the account ${name}`,
};

const byId = (id) => document.getElementById(id);

export class AccountDialog {
  #dialog = byId('account-dialog');
  #session;
  #on;
  #view = 'overview';
  #forms;
  #tokens = new TokenList((number) => this.#revoke(number));
  /** Does the change for which the user types the password again. */
  #retry = () => {};

  /**
   * Callbacks:
   * - `on.logIn()`: a guest wants to log in.
   * - `on.stay(answered)`: lets this device stay logged in.
   * - `on.logOut()`: the user logs out.
   * - `on.removed(name)`: the account is deleted.
   */
  constructor(session, on) {
    this.#session = session;
    this.#on = on;
    const newPassword = ({ password }) => textProblem(problemOfPassword(password), 'password');
    this.#forms = {
      register: new SecretForm(byId('register-form'), (fields) => this.#register(fields), newPassword),
      change: new SecretForm(byId('change-form'), (fields) => this.#change(fields), newPassword),
      confirm: new SecretForm(byId('confirm-form'), (fields) => this.#confirm(fields)),
      remove: new SecretForm(byId('remove-form'), (fields) => this.#remove(fields)),
    };
    byId('show-account').addEventListener('click', () => this.open());
    for (const button of this.#dialog.querySelectorAll('[data-view]')) {
      button.addEventListener('click', () => this.show(button.dataset.view));
    }
    byId('account-log-in').addEventListener('click', () => this.#leaveFor(on.logIn));
    byId('account-log-out').addEventListener('click', () => this.#leaveFor(on.logOut));
    byId('account-stay').addEventListener('click', () => this.#stay());
    // Forgets what was typed.
    this.#dialog.addEventListener('toggle', ({ newState }) => newState === 'closed' && this.#reset());
  }

  open(view = 'overview') {
    if (!this.#isOpen) this.#dialog.showPopover();
    this.show(view);
  }

  close() {
    this.#dialog.hidePopover();
  }

  /** Shows a view, and moves the focus into it. `said` tells what has happened. */
  show(view, said = '') {
    const { account, me } = this.#session;
    const name = account.name || me;
    this.#view = view;
    for (const part of this.#dialog.querySelectorAll('[data-part]')) part.hidden = part.dataset.part !== view;
    byId('account-title').textContent = TITLES[view](name);
    byId('account-said').textContent = said;
    this.#forms[view]?.fill({ username: name });
    if (view === 'overview') this.#showOverview(account, name);
    if (view === 'tokens') this.#list();
    if (this.#forms[view]) this.#forms[view].focus();
    else byId('account-title').focus();
  }

  get #isOpen() {
    return this.#dialog.matches(':popover-open');
  }

  #showOverview(account, name) {
    const isGuest = account.name === '';
    const isDeleted = isGuest && account.deletedName === name;
    byId('account-state').textContent = isGuest ? guestText(name, isDeleted) : `You are logged in as ${name}. ${stayText(account)}`;
    for (const part of this.#dialog.querySelectorAll('[data-for]')) part.hidden = (part.dataset.for === 'guest') !== isGuest;
    byId('account-stay').hidden = isGuest || account.isKept;
    // The name of a deleted account cannot become another account.
    if (isDeleted) byId('account-register').hidden = true;
  }

  #leaveFor(action) {
    this.close();
    action();
  }

  #register({ password, stays }) {
    this.#session.account.register(password, (reply) => {
      if (!reply?.isOk) return this.#refuse('register', reply);
      const { name } = this.#session.account;
      if (!stays) return this.#done(`${name} is an account now.`);
      this.#on.stay((kept) => this.#done(`${name} is an account now. ${kept?.isOk ? '' : this.#textOf(kept)}`));
    });
  }

  #change({ before, password }) {
    this.#session.account.change(before, password, (reply) => {
      if (!reply?.isOk) return this.#refuse('change', reply, reply?.verb === 'PASSWORD' ? 'password' : 'before');
      this.#done('Your password is changed. Access tokens stay valid: if somebody else knew the old password, revoke them.');
    });
  }

  #remove({ password }) {
    const { name } = this.#session.account;
    this.#session.account.remove(password, (reply) => {
      if (!reply?.isOk) return this.#refuse('remove', reply);
      this.#on.removed(name);
      this.#done(`The account ${name} is deleted. You are a guest now.`);
    });
  }

  #stay() {
    this.#on.stay((reply) => {
      if (reply?.isOk) this.#done();
      else this.#confirmOr(reply, () => this.#stay(), () => this.#done(this.#textOf(reply)));
    });
  }

  #list() {
    this.#session.account.list((reply, tokens) => {
      const { account } = this.#session;
      if (reply?.isOk) this.#tokens.show(tokens, account.isKept ? account.kept.number : null);
      else this.#tokens.explain(this.#textOf(reply));
    });
  }

  #revoke(number) {
    this.#session.account.revoke(number, (reply) => {
      // Another device may have revoked it.
      if (reply?.isOk || reply?.code === 'token-unknown') {
        if (this.#view !== 'tokens') this.show('tokens');
        else this.#list();
      } else {
        this.#confirmOr(reply, () => this.#revoke(number), () => this.#tokens.explain(this.#textOf(reply)));
      }
    });
  }

  /** Asks for the password if a change needs it, and does the change then. Otherwise reports the refusal. */
  #confirmOr(reply, retry, refused) {
    if (!this.#isOpen) return;
    if (reply?.code !== 'login-too-old') return refused();
    this.#retry = retry;
    this.show('confirm');
  }

  #confirm({ password }) {
    this.#session.account.confirm(password, (reply) => {
      if (reply?.isOk) this.#retry();
      else this.#refuse('confirm', reply);
    });
  }

  #refuse(view, reply, field) {
    this.#forms[view].refuse(this.#textOf(reply), field);
  }

  /** Goes back to the overview, unless the user has closed the dialog. */
  #done(said = '') {
    if (this.#isOpen) this.show('overview', said);
  }

  #reset() {
    for (const form of Object.values(this.#forms)) form.fill();
    this.#tokens.clear();
    this.#retry = () => {};
  }

  /** Why the server has refused something. The user has not typed a name that may be wrong. */
  #textOf(reply) {
    if (!reply) return NOT_CONNECTED;
    return reply.code === 'password-wrong' ? 'The password is wrong.' : refusal(reply, this.#session.me);
  }
}

function guestText(name, isDeleted) {
  if (isDeleted) return `You are a guest. After you leave, nobody can take the name ${name} for 30 days.`;
  return `You are a guest. After you leave, anybody can take the name ${name}. With an account, only you can.`;
}

function stayText({ isKept, kept }) {
  if (!isKept) return 'This device asks for the password when you come back.';
  return `This device stays logged in until ${shortDate(new Date(kept.expiresAt))}, or until you log out.`;
}

function textProblem(text, name) {
  return text ? { text, name } : null;
}
