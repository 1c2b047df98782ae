// Logging in: offers it if the server has accounts, says why a login was refused, and lets the device stay logged in.

import { deviceName } from './device.js';
import { readGreeting } from './greeting.js';
import { refusal } from './wording.js';

const NOT_CONNECTED = 'Not connected. Try again later.';
const EXPOSED = 'This server needs a password, but others could read it on the way. Open this page with https://';
const NOT_KEPT =
  'This device is not logged in any more: its access token has expired or was revoked. Log in with your password.';

/** Time after which a login at the start is tried once more, in milliseconds: before a reload, this window used the account itself. */
const RELOAD_MS = 1000;

/** The codes after which the same login may succeed later, or with a takeover. */
const REPEATABLE = new Set(['account-in-use', 'busy', 'name-taken', 'not-stored', 'too-many-attempts']);

export class Login {
  #session;
  #names;
  #explain;
  #changed;
  /** The login of the button that needs no typing, or null. */
  #again = null;
  #hasJoined = false;
  #hasRetried = false;

  /** `explain(text)` shows a text outside of the dialog. `changed()` is called when the user has logged in, or has another name. */
  constructor({ session, names, explain, changed }) {
    this.#session = session;
    this.#names = names;
    this.#explain = explain;
    this.#changed = changed;
  }

  /** Joins with the access token that this device keeps, or asks the user. */
  begin(address) {
    const { keptLogin } = this.#session.account;
    if (keptLogin) return this.#session.logIn(keptLogin);
    this.askToJoin();
    readGreeting(address, (hello) => this.#session.expect(hello));
  }

  /** Whether the user has been in the chat since the page was loaded. */
  get hasJoined() {
    return this.#hasJoined;
  }

  /** Offers what the server has, which its greeting tells. */
  offer() {
    const { hasAccounts, isAccountsOnly, isPrivate } = this.#session;
    this.#names.offerLogin({ isOffered: hasAccounts && isPrivate, isRequired: isAccountsOnly });
    if (isAccountsOnly && !isPrivate && this.#names.isJoining) this.exposed();
  }

  /** Asks the user to join, and offers the login that the page knows. `takesOver`: it is in use elsewhere. */
  askToJoin(reason = '', { name, takesOver = false } = {}) {
    const { account, isAccountsOnly, isPrivate } = this.#session;
    const known = account.login ?? account.keptLogin;
    this.#again = known && { ...known, takesOver };
    const isOwner = name === undefined && account.name !== '';
    const isLogin = this.#again !== null || isOwner || (isAccountsOnly && isPrivate);
    this.#names.askToJoin(reason, { name: name ?? (known?.name || account.name || undefined), isLogin, again: this.#again });
  }

  /** Logs in with what the user has typed: to join, or as a guest who is in a room. */
  logIn({ name, password, stays, server }) {
    this.#logIn({ name, secret: password, stays, isKept: false }, server);
  }

  /** Logs in without typing. */
  again(server) {
    this.#logIn(this.#again, server);
  }

  /** Explains that no password can be sent. */
  exposed() {
    if (!this.#names.isJoining) this.#names.askToJoin();
    this.#names.refuse(EXPOSED);
  }

  /** The session has joined. */
  joined() {
    this.#hasJoined = true;
    const { account } = this.#session;
    if (!account.login?.stays) return;
    account.login = { ...account.login, stays: false };
    this.stay((reply) => {
      if (!reply?.isOk) this.#explain(`You are logged in, but this device does not stay logged in. ${reasonOf(reply)}`);
    });
  }

  /** Lets this device log in by itself from now on. */
  stay(answered) {
    this.#session.account.stay(deviceName(navigator.userAgent), answered);
  }

  /** The server has refused a name, with which the user wanted to join, or which a member wanted to take. */
  nameRefused(reply, name) {
    const { account, isPrivate } = this.#session;
    const text = refusal(reply, name);
    if (reply.code === 'login-required' && !isPrivate) return this.exposed();
    if (reply.code === 'name-registered' && isPrivate && !account.name) return this.#names.refuseRegistered(text, name);
    if (reply.code === 'login-required') this.#names.askToLogIn('', name);
    this.#names.refuse(text);
  }

  /** The server has refused the login with which the session wanted to join. */
  refused(reply) {
    const { account } = this.#session;
    const { login } = account;
    if (reply.code === 'account-in-use' && !this.#hasJoined && !this.#hasRetried && !this.#names.isJoining) {
      this.#hasRetried = true;
      return void setTimeout(() => account.login === login && this.#session.logIn(login), RELOAD_MS);
    }
    // A reconnect does not try it again: that would be another guess.
    account.login = null;
    const reason = this.#hasJoined ? 'The connection was lost, and you have to log in again.' : '';
    this.#offerAgain(reply, login);
    if (!this.#names.isJoining) this.#names.askToJoin(reason, { name: login.name, isLogin: true, again: this.#again });
    this.#names.again = this.#again;
    this.#names.refuse(this.#textOf(reply, login));
  }

  /** Logs in a guest who is in a room, or joins with the login. */
  #logIn(login, server) {
    if (!this.#session.isConnected) return this.#session.logIn(login, server);
    this.#session.account.logIn(login, (reply) => {
      if (reply?.isOk) {
        this.#names.close();
        this.joined();
        return this.#changed();
      }
      this.#offerAgain(reply, login);
      this.#names.again = this.#again;
      this.#names.refuse(reply ? this.#textOf(reply, login) : NOT_CONNECTED);
    });
  }

  #offerAgain(reply, login) {
    const isInUse = reply?.code === 'account-in-use';
    this.#again = REPEATABLE.has(reply?.code) ? { ...login, takesOver: isInUse } : null;
  }

  #textOf(reply, login) {
    if (reply.code !== 'password-wrong' || !login.isKept) return refusal(reply, login.name);
    this.#session.account.forgetKept();
    return NOT_KEPT;
  }
}

function reasonOf(reply) {
  return reply ? refusal(reply) : NOT_CONNECTED;
}
