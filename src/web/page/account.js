// The user's account: the login, the changes of the account, and the access token with which this device stays logged in. `Session` logs in
// when it enters the server. No document.

import {
  formatLogin, formatNewToken, formatPassword, formatRegister, formatRevokeToken, formatUnregister, newToken,
} from './protocol.js';
import { load, remove, store } from './storage.js';

/** For how long a device stays logged in. */
const STAY_DAYS = 90;

/** A refusal of the browser, in the form of one of the server. */
const NOT_KEPT = { isOk: false, verb: 'TOKEN', code: 'not-kept', what: 'your browser does not let this page store anything', hint: null };

export class Account {
  /** The name of the account that the user is logged in to; empty for a guest. */
  name = '';
  /**
   * The login, `{ name, secret, isKept, takesOver }`; null for a guest. `secret` is a password, or the access token that this device
   * keeps (`isKept`). The page uses it again after the connection was lost. A password is in memory only.
   */
  login = null;
  /** The name of the account that the user has deleted last; empty before. The name rests. */
  deletedName = '';
  #request;
  #named;
  #resumptionEnded;
  #loginChanged;
  /** The access tokens of the list that is being received. */
  #listed = [];

  /**
   * `request(line, answered)` sends a line. `named(name)`: the user has the name of the account now. `resumptionEnded()`: the resume token
   * of the session has ended. `loginChanged()`: a member has logged in, or is a guest now.
   */
  constructor({ request, named, resumptionEnded, loginChanged }) {
    this.#request = (line, answered = () => {}) => request(line, (reply) => {
      // The operator may have deleted the account.
      if (reply?.code === 'not-logged-in') {
        this.ended();
        this.#loginChanged();
      }
      answered(reply);
    });
    this.#named = named;
    this.#resumptionEnded = resumptionEnded;
    this.#loginChanged = loginChanged;
  }

  /** The line that logs in. */
  get line() {
    const { name, secret, takesOver } = this.login;
    return formatLogin(name, secret, takesOver);
  }

  /** The access token that this device keeps, `{ name, number, token, expiresAt }`, or null. */
  get kept() {
    const kept = load('localStorage', 'login');
    return kept?.name && kept.token ? kept : null;
  }

  /** The kept access token as a login, or null. */
  get keptLogin() {
    const { kept } = this;
    return kept && { name: kept.name, secret: kept.token, isKept: true };
  }

  /** Whether this device stays logged in: the session has logged in with the access token that the device keeps, or has made it. */
  get isKept() {
    return this.name !== '' && this.login?.isKept === true && this.kept?.token === this.login.secret;
  }

  /** This device is not logged in any more: its access token has expired, or was revoked. */
  forgetKept() {
    remove('localStorage', 'login');
  }

  /** The user leaves the chat, perhaps to let somebody else use the page. */
  forgetPassword() {
    if (!this.login?.isKept) this.login = null;
  }

  /** The session enters as a guest from now on. */
  becomeGuest() {
    this.name = '';
    this.login = null;
  }

  /** The account is deleted, and so are its access tokens. */
  ended() {
    if (this.#keptHere) this.forgetKept();
    this.becomeGuest();
  }

  /** The session has logged in to the account of this name. */
  entered(name) {
    this.name = name;
    this.login = { ...this.login, name, takesOver: false };
    this.#checkKept();
  }

  /** The kept access token, if it is one of an account of this name. It may be of an earlier account, which was deleted. */
  get #keptHere() {
    const { kept } = this;
    return kept?.name === this.name ? kept : null;
  }

  /** After a login with the password: finds out whether the device also stays logged in. */
  #checkKept() {
    const { keptLogin, login } = this;
    if (login.isKept || login.stays || keptLogin?.name !== this.name) return;
    this.#request(formatLogin(keptLogin.name, keptLogin.secret), (reply) => {
      if (reply?.code === 'password-wrong') this.forgetKept();
      if (reply?.isOk && this.login === login) this.login = keptLogin;
    });
  }

  /** Logs in a member: a guest, or the owner once more, with the password. */
  logIn(login, answered) {
    this.#request(formatLogin(login.name, login.secret, login.takesOver), (reply) => {
      if (reply?.isOk) {
        this.login = login;
        this.entered(reply.value);
        this.#named(reply.value);
        this.#loginChanged();
      }
      answered(reply);
    });
  }

  /** Gives the password again, which some changes need. */
  confirm(password, answered) {
    this.#request(formatLogin(this.name, password), (reply) => {
      if (reply?.isOk) this.#named(reply.value);
      answered(reply);
    });
  }

  /** Makes the name of the user an account. */
  register(password, answered) {
    this.#request(formatRegister(password), (reply) => {
      if (reply?.isOk) {
        this.login = { secret: password, isKept: false };
        this.entered(reply.value);
        this.#loginChanged();
      }
      answered(reply);
    });
  }

  /** Changes the password. */
  change(before, password, answered) {
    this.confirm(before, (confirmed) => {
      if (!confirmed?.isOk) return answered(confirmed);
      this.#request(formatPassword(password), (reply) => {
        if (reply?.isOk) {
          if (!this.login?.isKept) this.login = { name: this.name, secret: password, isKept: false };
          this.#resumptionEnded();
        }
        answered(reply);
      });
    });
  }

  /** Deletes the account. The user becomes a guest under the same name. */
  remove(password, answered) {
    this.#request(formatUnregister(password), (reply) => {
      if (reply?.isOk) {
        this.deletedName = this.name;
        this.ended();
        this.#resumptionEnded();
        this.#loginChanged();
      }
      answered(reply);
    });
  }

  /** Lets this device log in by itself from now on, with a new access token in place of the one before. `label` names the device. */
  stay(label, answered) {
    const before = this.#keptHere;
    this.#request(formatNewToken(STAY_DAYS, label), (reply) => {
      if (!reply?.isOk) return answered(reply);
      const made = newToken(reply.value);
      store('localStorage', 'login', { name: this.name, ...made });
      if (this.kept?.token !== made.token) {
        this.#request(formatRevokeToken(made.number));
        return answered(NOT_KEPT);
      }
      this.login = { name: this.name, secret: made.token, isKept: true };
      // From here on, the revocation of the token also ends the resume token.
      const logIn = () => this.#request(formatLogin(this.name, made.token));
      if (before) this.#revokeKept(before, logIn);
      else logIn();
      answered(reply);
    });
  }

  /** Lists the access tokens: `answered` gets the reply, and the tokens. */
  list(answered) {
    this.#listed = [];
    this.#request('TOKEN list', (reply) => answered(reply, this.#listed.splice(0)));
  }

  /** A line of the list has arrived. */
  listed(token) {
    this.#listed.push(token);
  }

  revoke(number, answered) {
    const isOwn = this.isKept && this.kept.number === number;
    this.#request(formatRevokeToken(number), (reply) => {
      if (reply?.isOk && isOwn) this.forgetKept();
      answered(reply);
    });
  }

  /** Ends the login of this device. `answered` gets the reply to the revocation; `{ isOk: true }` if there is nothing to revoke. */
  logOut(answered) {
    const kept = this.#keptHere;
    this.login = null;
    if (!kept) return answered({ isOk: true });
    this.forgetKept();
    this.#revokeKept(kept, answered);
  }

  /**
   * Revokes a kept access token. Its number may mean another token by now: that of a new account of the same name. So the page logs in with
   * the token first; then it may also revoke the token without the password.
   */
  #revokeKept(kept, answered) {
    this.#request(formatLogin(kept.name, kept.token), (reply) => {
      if (reply?.isOk) this.#request(formatRevokeToken(kept.number), answered);
      else answered(reply?.code === 'password-wrong' ? { isOk: true } : reply);
    });
  }
}
