// The conversation with the server: joins, comes back, says and draws. It knows the protocol's order of things, not the page.

import { Connection } from './connection.js';
import { formatMessage, formatNick, formatQuit, formatStroke, formatWhisper } from './protocol.js';
import { Room } from './room.js';
import { refusal } from './wording.js';

/** Messages told on joining. */
const PAST_MESSAGES = 20;

/** Why what was said meanwhile is not told, for people. */
const ANEW = 'The server has restarted and no longer knows the messages above.';
const TOO_OLD = 'You missed more messages than the server keeps. Some are missing here.';

export class Session {
  room = new Room();
  #connection;
  #on;
  #name = '';
  #token = null;
  #isGreeted = false;
  #isJoined = false;
  /** The last id that was read before the connection broke, if ids still go on from there; else 0. */
  #missedAfter = 0;
  /** All that was said after it was told again. */
  #isCaughtUp = false;
  #isAnew = false;

  /**
   * `on.joined(isBack)`, `on.refused(reply, name)`: what became of a name. `on.line(line, isNew)`: a line that the room has taken in.
   * `on.note(text, after)`: something to tell that no line said; in its place after this id, if there is one. `on.caughtUp()`: all that was told again is here.
   * `on.closed({ retryMs, lastWord })`: as the connection's.
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

  /** Joins by this name, or tries again by another. */
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
      // The event of it is missed by who has fallen behind.
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
    this.#isAnew = room.epoch !== null && room.epoch !== epoch;
    room.forgetListed();
    // Until all that was missed is told, what happens meanwhile does not stand for it.
    if (room.epoch !== epoch || this.#isCaughtUp || this.#missedAfter === 0) {
      if (room.epoch !== epoch) room.begin(epoch);
      this.#missedAfter = room.lastId;
    }
    this.#isCaughtUp = false;
    // Tags tell ids and times; with echo and draw, all that happens comes in the one order, one's own included.
    for (const option of ['tags', 'echo', 'draw']) this.#connection.request(`SET ${option} on`);
    if (!this.#token) return this.#nick();
    this.#connection.request(`RESUME ${this.#token}`, (reply) => {
      if (reply?.isOk) this.#joined(reply.value);
      else if (reply) this.#nick();
    });
  }

  #nick() {
    this.#connection.request(formatNick(this.#name), (reply) => {
      if (reply?.isOk) this.#joined(reply.value);
      else if (reply) this.#on.refused(reply, this.#name);
    });
  }

  #joined(name) {
    const isBack = this.#isAnew || this.#missedAfter > 0;
    this.#isJoined = true;
    this.#name = name;
    this.room.me = name;
    this.#on.joined(isBack);
    this.#connection.request('SET resume on', (reply) => {
      this.#token = reply?.isOk ? reply.value.split(' ')[2] : null;
    });
    this.#connection.request('WHO');
    if (this.#isAnew) this.#on.note(ANEW);
    if (this.#missedAfter > 0) this.#askSince();
    else this.#askHistory();
    this.#connection.request('CANVAS');
  }

  #askSince() {
    this.#connection.request(`SINCE ${this.#missedAfter} ${this.room.epoch}`, (reply) => {
      if (reply?.isOk) return this.#caughtUp();
      if (!reply) return;
      this.#on.note(reply.code === 'too-old' ? TOO_OLD : refusal(reply), this.#missedAfter);
      this.#askHistory();
    });
  }

  #askHistory() {
    this.#connection.request(`HISTORY ${PAST_MESSAGES}`, (reply) => reply && this.#caughtUp());
  }

  #caughtUp() {
    this.#isCaughtUp = true;
    this.#on.caughtUp();
  }

  #line(line) {
    if (line.kind === 'ping') this.#connection.tell(`PONG ${line.token}`);
    // What was drawn was missed, too.
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
