// The session with the server: joins, reconnects, sends and draws. It has no document.

import { Connection } from './connection.js';
import { formatMessage, formatNick, formatQuit, formatStroke, formatWhisper } from './protocol.js';
import { Room } from './room.js';
import { refusal } from './wording.js';

/** Past messages requested on joining. */
const PAST_MESSAGES = 20;

/** Notes about missed messages that cannot be shown. */
const RESTARTED = 'The server has restarted and no longer knows the messages above.';
const TOO_OLD = 'You missed more messages than the server keeps. Some are missing here.';

export class Session {
  room = new Room();
  #connection;
  #on;
  #name = '';
  #token = null;
  #isGreeted = false;
  #isJoined = false;
  /** The last id read before the connection broke; null if none is known, or after a change of the epoch. */
  #missedAfter = null;
  /** Whether all messages after it have been replayed. */
  #isCaughtUp = false;
  #isNewEpoch = false;

  /**
   * `on.joined(isBack)`, `on.refused(reply, name)`: the result of taking a name. `on.line(line, isNew)`: the room applied a line.
   * `on.note(text, after)`: a note to show, after this id if there is one. `on.caughtUp()`: the replay is complete.
   * `on.closed({ retryMs, closeReason })`: as `Connection` reports it.
   */
  constructor(address, on) {
    this.#on = on;
    this.#connection = new Connection(address, {
      greeted: (hello) => this.#greeted(hello),
      line: (line) => this.#line(line),
      closed: (how) => this.#closed(how),
    });
  }

  get isConnected() {
    return this.#connection.isOpen && this.#isJoined;
  }

  /** Joins under this name, or tries again under another one. */
  join(name) {
    this.#name = name;
    if (this.#isGreeted) this.#nick();
    else this.#connection.start();
  }

  retryNow() {
    this.#connection.start();
  }

  rename(name, answered) {
    this.#connection.request(formatNick(name), (reply) => {
      // A client that has fallen behind does not get its own RENAME.
      if (reply?.isOk) this.room.me = this.#name = reply.value;
      answered(reply);
    });
  }

  say(text, answered) {
    this.#connection.request(formatMessage(text), answered);
  }

  whisper(names, text, answered) {
    this.#connection.request(formatWhisper(names, text), answered);
  }

  draw(stroke, answered) {
    this.#connection.request(formatStroke(stroke), answered);
  }

  clear() {
    this.#connection.request('DRAW clear');
  }

  status(answered) {
    this.#connection.request('STATUS', answered);
  }

  ping(answered) {
    this.#connection.request('PING', answered);
  }

  quit(reason = '') {
    this.#token = null;
    this.#connection.stop();
    this.#connection.request(formatQuit(reason));
  }

  #greeted({ epoch }) {
    const { room } = this;
    this.#isGreeted = true;
    this.#isNewEpoch = room.epoch !== null && room.epoch !== epoch;
    room.forgetListed();
    room.beginReplay();
    // An interrupted replay is repeated from its beginning, whatever live messages have arrived since.
    if (room.epoch !== epoch || this.#isCaughtUp || this.#missedAfter === null) {
      if (room.epoch !== epoch) room.begin(epoch);
      this.#missedAfter = room.lastId;
    }
    this.#isCaughtUp = false;
    // Tags carry ids and times. With echo, own messages and strokes arrive as events, in the common order.
    for (const option of ['tags', 'echo', 'draw']) this.#connection.request(`SET ${option} on`);
    if (!this.#token) return this.#nick();
    this.#connection.request(`RESUME ${this.#token}`, (reply) => {
      if (reply?.isOk) return this.#joined(reply.value);
      if (!reply) return;
      this.#token = null;
      this.#nick();
    });
  }

  #nick() {
    // Requests the resume token before the name; it stays valid after use. If the connection breaks at any moment from here on, the
    // page can take its name back. Without a token the server would reserve the name and refuse it to the page, too.
    if (!this.#token) this.#askToken();
    this.#connection.request(formatNick(this.#name), (reply) => {
      if (reply?.isOk) this.#joined(reply.value);
      else if (reply) this.#on.refused(reply, this.#name);
    });
  }

  #askToken() {
    this.#connection.request('SET resume on', (reply) => {
      this.#token = reply?.isOk ? reply.value.split(' ')[2] : null;
    });
  }

  #joined(name) {
    const isBack = this.#isNewEpoch || this.#missedAfter !== null;
    this.#isJoined = true;
    this.#name = name;
    this.room.me = name;
    this.#on.joined(isBack);
    this.#connection.request('WHO');
    if (this.#isNewEpoch) this.#on.note(RESTARTED);
    if (this.#missedAfter !== null) this.#askSince();
    else this.#askHistory();
    this.#connection.request('CANVAS');
  }

  #askSince() {
    this.#connection.request(`SINCE ${this.#missedAfter} ${this.room.epoch}`, (reply) => {
      if (reply?.isOk) return this.#caughtUp(reply);
      if (!reply) return;
      this.#on.note(reply.code === 'too-old' ? TOO_OLD : refusal(reply), this.#missedAfter);
      this.#askHistory();
    });
  }

  #askHistory() {
    this.#connection.request(`HISTORY ${PAST_MESSAGES}`, (reply) => reply && this.#caughtUp(reply));
  }

  #caughtUp({ last }) {
    this.#isCaughtUp = true;
    if (last !== null) this.room.hasReadUpTo(last);
    this.#on.caughtUp();
  }

  #line(line) {
    if (line.kind === 'ping') this.#connection.send(`PONG ${line.token}`);
    // A client that fell behind missed strokes, too.
    if (line.kind === 'roster') this.#connection.request('CANVAS');
    const isNew = this.room.apply(line);
    this.#on.line(line, isNew);
  }

  #closed(how) {
    this.#isGreeted = false;
    this.#isJoined = false;
    this.#on.closed(how);
  }
}
