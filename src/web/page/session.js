// The session with the server: joins, resumes after a reconnect, catches up on missed messages, and sends. `Connection` reconnects; `Room`
// keeps the state. No document.

import { Connection } from './connection.js';
import { formatMessage, formatNick, formatQuit, formatStroke, formatWhisper } from './protocol.js';
import { Room } from './room.js';
import { refusal } from './wording.js';

/** Past messages requested on joining. */
const PAST_MESSAGES = 20;

/** Notes about missed messages that the page cannot show. */
const RESTARTED = 'The server was restarted and has lost the messages above.';
const TOO_OLD = 'Some messages are missing here: the server no longer keeps them.';

export class Session {
  room = new Room();
  #connection;
  #on;
  #name = '';
  #token = null;
  #isGreeted = false;
  #isJoined = false;
  /** The last id received before the connection was lost; null if none is known, or after a change of the epoch. */
  #missedAfter = null;
  /** Whether the replay of the messages after it is complete. */
  #isCaughtUp = false;
  #isNewEpoch = false;

  /**
   * Callbacks:
   * - `on.joined(isBack)`, `on.refused(reply, name)`: the result of taking a name; `isBack` after a reconnect.
   * - `on.line(line, isNew)`: the room has applied a line; it should be shown if `isNew`.
   * - `on.note(text, after)`: a note to show, after this id if there is one.
   * - `on.caughtUp()`: the replay is complete.
   * - `on.closed({ retryMs, closeReason })`: as `Connection` reports it.
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

  /** Joins under this name, after a refusal under another one. */
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
      // A slow client may not get its own RENAME: the server skips events that it cannot keep for it.
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
    // If the last replay was interrupted, repeats it from its beginning, even if later messages have arrived since.
    if (room.epoch !== epoch || this.#isCaughtUp || this.#missedAfter === null) {
      if (room.epoch !== epoch) room.begin(epoch);
      this.#missedAfter = room.lastId;
    }
    this.#isCaughtUp = false;
    // With tags, events have ids and times. With echo, own messages and strokes arrive as events, in the order of the room.
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
    // Requests the resume token before the name, so that the page can take its name back whenever the connection is lost from here on. The
    // token stays valid after use. Without it, the server would reserve the name and refuse it even to this page.
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
    // The server sends ROSTER after it has skipped events, and it has skipped strokes, too.
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
