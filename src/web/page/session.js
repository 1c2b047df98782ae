// The session with the server: takes the name, enters the rooms, resumes after a reconnect, catches up on missed messages, and sends.
// `Connection` reconnects; each `Room` keeps the state of one room; `Account` logs in. No document.

import { Account } from './account.js';
import { foldCase } from './case.js';
import { Connection } from './connection.js';
import { Moderator } from './moderator.js';
import {
  REMOVALS, enteredRooms, formatJoin, formatMessage, formatNick, formatPart, formatPass, formatQuit, formatRooms, formatStroke, formatTopic, formatWhisper,
  inRoom, nextRoom,
} from './protocol.js';
import { Room } from './room.js';
import { refusal } from './wording.js';

/** The room that exists on every server. A server without rooms has no other one. */
export const LOBBY = '#lobby';

/** Past messages requested on entering a room. */
const PAST_MESSAGES = 20;

/** Most rooms in one JOIN. */
const ROOMS_A_JOIN_MAX = 16;

/** Notes about missed messages that the page cannot show. */
const RESTARTED = 'The server was restarted and has lost the messages above.';
const MADE_ANEW = 'The server no longer has the messages above.';
const TOO_OLD = 'Some messages are missing here: the server no longer keeps them.';

export class Session {
  /** Whether the server has a password. */
  hasPassword = false;
  /** Whether the server has more than one room. */
  hasRooms = false;
  /** Whether the server has accounts. */
  hasAccounts = false;
  /** Whether the server has no guests. */
  isAccountsOnly = false;
  /** Whether this connection is encrypted, or stays on this machine. No secret is sent over others. */
  isPrivate = false;
  /** The user's account. */
  account;
  /** The user's ranks, and the commands of moderators. */
  moderator;
  /** The room that the page shows. */
  current;
  /** The room whose lines name no room. */
  home;
  #connection;
  #isEncrypted;
  /** Whether the address of the server is on the user's machine. */
  #isToOwnMachine;
  #on;
  #name = '';
  #token = null;
  /** The password of the server, kept in memory only; null if the user has not typed it. */
  #password = null;
  /** Gives the password again. */
  #timer;
  /** Whether the server waits for the password. */
  #needsPassword = false;
  #isGreeted = false;
  #isJoined = false;
  #lobbyEpoch = null;
  /** The rooms that the user is in, or enters on the next connection, by the folded form of their names. */
  #rooms = new Map();
  /** The folded names of rooms that the user has left. */
  #left = new Set();
  /** The rooms of the list that is being received. */
  #listed = [];
  /** The lines of the message of the day that the page has shown on earlier connections: the server sends it on each connection. */
  #motd = new Set();
  /** Its lines on this connection. */
  #newMotd = [];
  /** Whether missed messages of a room in the background are being received. */
  #isFetching = false;

  /**
   * The session begins with these rooms, and enters the first one with the name. Callbacks:
   * - `on.greeted()`: the features of the server are known.
   * - `on.joined()`, `on.refused(reply, name)`: the result of taking a name, or of logging in.
   * - `on.kicked(room, line)`: a moderator has removed the user from the room: the line of the server. Comes after `on.left(room)`.
   * - `on.displaced(name)`: the owner of the name has logged in, and the user is in no room any more.
   * - `on.passwordNeeded(reply)`: the server needs a password. `reply` is the refusal of the last one, or null.
   * - `on.exposed()`: the server or the login needs a password, and others could read it on the way.
   * - `on.entered(room, isBack)`: the user has entered a room; `isBack` after a reconnect.
   * - `on.left(room, reply)`: the user is not in the room any more; `reply` is the refusal if the page could not enter it.
   * - `on.line(room, line, isNew)`: the room has applied a line; it should be shown if `isNew`.
   * - `on.note(room, text, after)`: a note to show, after this id if there is one.
   * - `on.caughtUp(room)`: the replay is complete.
   * - `on.topics()`: the topics of all rooms are known.
   * - `on.closed({ retryMs, closeReason })`: as `Connection` reports it.
   */
  constructor(address, on, [first, ...others]) {
    this.#on = on;
    const { protocol, hostname } = new URL(address);
    this.#isEncrypted = protocol === 'wss:';
    this.#isToOwnMachine = isOwnMachine(hostname);
    this.current = this.home = this.want(first);
    others.forEach((name) => this.want(name));
    this.#connection = new Connection(address, {
      greeted: (hello) => this.#greeted(hello),
      line: (line) => this.#line(line),
      closed: (how) => this.#closed(how),
    });
    this.account = new Account({
      request: (line, answered) => this.#connection.request(line, answered),
      named: (name) => this.#named(name),
      resumptionEnded: () => this.#askToken(),
      loginChanged: () => this.moderator.ranksChanged(this.rooms),
    });
    this.moderator = new Moderator({
      request: (line, answered) => this.#connection.request(line, answered),
      load: () => this.#load(this.current),
    });
  }

  get isConnected() {
    return this.#connection.isOpen && this.#isJoined;
  }

  /** The user's name; empty before joining. */
  get me() {
    return this.#isJoined ? this.#name : this.current.me;
  }

  get rooms() {
    return [...this.#rooms.values()];
  }

  /** The room of this name that the user is in, or enters on the next connection. */
  roomNamed(name) {
    return this.#rooms.get(foldCase(name));
  }

  /** Whether the user has left a room of this name. */
  hasLeft(name) {
    return this.#left.has(foldCase(name));
  }

  /** Adds a room that the session enters on the next connection. */
  want(name) {
    if (!this.roomNamed(name)) this.#rooms.set(foldCase(name), new Room(name));
    return this.roomNamed(name);
  }

  /** Takes a name as a guest, after a refusal of another one. `password` is that of the server; empty if the user has not typed it. */
  takeName(name, password = '') {
    this.#name = name;
    this.account.becomeGuest();
    this.#enterServer(password);
  }

  /** Logs in, as `account.login` has it. `password` is that of the server; empty if the user has not typed it. */
  logIn(login, password = '') {
    this.#name = '';
    this.account.login = login;
    this.#enterServer(password);
  }

  /** The features of the server, from a greeting on another connection. */
  expect({ hasAccounts, isAccountsOnly, isSecure, needsPassword }) {
    Object.assign(this, { hasAccounts, isAccountsOnly, hasPassword: needsPassword });
    // A proxy may have encrypted the way to this page, unknown to the server, which then decides. Over plain text from another
    // machine, an attacker who can read the password can also write the greeting.
    this.isPrivate = this.#isEncrypted || (isSecure && this.#isToOwnMachine);
    this.#on.greeted();
  }

  /** Forgets the name: the user is in no room any more. */
  forgetName() {
    for (const room of this.#rooms.values()) room.me = '';
  }

  retryNow() {
    this.#connection.start();
  }

  rename(name, answered) {
    this.#connection.request(formatNick(name), (reply) => {
      if (reply?.isOk) this.#named(reply.value);
      answered(reply);
    });
  }

  #named(name) {
    this.#name = name;
    // A slow client may not get its own RENAME: the server skips events that it cannot keep for it.
    for (const room of this.#rooms.values()) room.me = name;
  }

  /** Enters rooms. `answered` gets the reply, and these rooms. */
  join(names, answered) {
    this.#connection.request(formatJoin(names), (reply) => {
      answered(reply, reply?.isOk ? enteredRooms(reply.value).map((entered) => this.#entered(entered)) : []);
      this.#fetchMissed();
    });
  }

  part(room, reason, answered) {
    this.#connection.request(formatPart(room.name, reason), (reply) => {
      if (reply?.isOk) this.#drop(room);
      answered(reply);
    });
  }

  /** Lists rooms. `answered` gets `{ isOk, rooms, next }`, or null without a connection. */
  list(prefix, after, answered) {
    this.#askRooms(formatRooms(prefix, after), answered);
  }

  /** Shows another room. */
  open(room) {
    this.current = room;
    this.#load(room);
  }

  say(room, text, answered) {
    this.#request(room, formatMessage(text), answered);
  }

  setTopic(room, text, answered) {
    this.#request(room, formatTopic(text), answered);
  }

  whisper(names, text, answered) {
    this.#connection.request(formatWhisper(names, text), answered);
  }

  draw(stroke, answered) {
    this.#request(this.current, formatStroke(stroke), answered);
  }

  clear() {
    this.#request(this.current, 'DRAW clear');
  }

  canvas() {
    this.#request(this.current, 'CANVAS');
  }

  status() {
    this.#request(this.current, 'STATUS');
  }

  /** Requests the members of a room again: their ranks may have changed without an event. */
  listMembers(room, answered) {
    this.#request(room, 'WHO', answered);
  }

  ping(answered) {
    this.#connection.request('PING', answered);
  }

  quit(reason = '') {
    this.#token = null;
    this.account.forgetPassword();
    this.#connection.stop();
    this.#connection.request(formatQuit(reason));
  }

  /** Sends a command about a room. */
  #request(room, command, answered) {
    this.#connection.request(room === this.home ? command : inRoom(room.name, command), answered);
  }

  #enterServer(password) {
    if (password) this.#password = password;
    if (this.#isGreeted && this.#needsPassword) this.#begin();
    else if (this.#isGreeted) this.#join();
    else this.#connection.start();
  }

  #greeted(hello) {
    this.#isGreeted = true;
    this.#needsPassword = hello.needsPassword;
    this.#lobbyEpoch = hello.epoch;
    this.hasRooms = hello.hasRooms;
    this.expect(hello);
    if (!this.hasRooms) this.#dropAllBut(this.home);
    this.#leaveAll();
    // With tags, events have ids and times. With echo, own messages and strokes arrive as events, in the order of the room.
    for (const option of ['tags', 'echo', 'draw']) this.#connection.request(`SET ${option} on`);
    this.#begin();
  }

  /** The user is in no room now, but enters the same rooms again. */
  #leaveAll() {
    this.#listed = [];
    this.moderator.beginConnection();
    this.#isFetching = false;
    for (const room of this.#rooms.values()) room.beginConnection();
  }

  /** Gives the password if the server waits for it. Then takes the session back, or joins. */
  #begin() {
    clearTimeout(this.#timer);
    if (!this.#needsPassword) return this.#resumeOrJoin();
    if (!this.isPrivate) return this.#on.exposed();
    if (this.#password === null) return this.#on.passwordNeeded(null);
    this.#connection.request(formatPass(this.#password), (reply) => {
      if (!reply) return;
      this.#needsPassword = !reply.isOk;
      if (reply.isOk) return this.#resumeOrJoin();
      if (/^password-/.test(reply.code)) this.#password = null;
      // The server has not checked it.
      else this.#tryAgain(reply);
      this.#on.passwordNeeded(reply);
    });
  }

  /** Gives the same password again after the time that the refusal names. */
  #tryAgain({ code, what }) {
    const [, seconds] = code === 'too-many-attempts' ? /(\d+) s$/.exec(what) ?? [] : [];
    if (!seconds) return;
    this.#timer = setTimeout(() => this.#isGreeted && this.#needsPassword && this.#begin(), seconds * 1000);
  }

  #resumeOrJoin() {
    if (!this.#token) return this.#join();
    this.#connection.request(`RESUME ${this.#token}`, (reply) => {
      if (reply?.isOk) return this.#resumed(reply.value);
      if (!reply) return;
      this.#token = null;
      this.#join();
    });
  }

  /** Logs in, or takes the name. If the server has refused a login, waits for the user. */
  #join() {
    if (this.account.login) this.#logIn();
    else if (this.#name) this.#nick();
  }

  /** Logs in, which enters the lobby. */
  #logIn() {
    if (!this.isPrivate) return this.#on.exposed();
    const { home } = this;
    const isNew = !this.roomNamed(LOBBY);
    this.home = this.want(LOBBY);
    // On a server for accounts only, there is no resume token before the login.
    if (!this.#token && !this.isAccountsOnly) this.#askToken();
    this.#connection.request(this.account.line, (reply) => {
      if (!reply) return;
      if (reply.isOk) {
        this.account.entered(reply.value);
        if (!this.#token && this.isAccountsOnly) this.#askToken();
        return this.#joined(reply.value);
      }
      this.home = home;
      if (isNew) this.#rooms.delete(LOBBY);
      this.#on.refused(reply, this.account.login?.name);
    });
  }

  #nick() {
    // Requests the resume token before the name, so that the page can take its name back whenever the connection is lost from here on. The
    // token stays valid after use. Without it, the server would reserve the name and refuse it even to this page.
    if (!this.#token) this.#askToken();
    if (this.roomNamed(this.home.name) !== this.home) this.home = this.current;
    const { home } = this;
    const isElsewhere = this.hasRooms && !isLobby(home);
    this.#connection.request(formatNick(this.#name, isElsewhere ? home.name : null), (reply) => {
      if (reply?.isOk) return this.#joined(reply.value);
      if (!reply) return;
      if (!isElsewhere || !/^rooms?-/.test(reply.code)) return this.#on.refused(reply, this.#name);
      this.home = this.want(LOBBY);
      this.#drop(home, reply);
      this.#nick();
    });
  }

  #askToken() {
    this.#connection.request('SET resume on', (reply) => {
      this.#token = reply?.isOk ? reply.value.split(' ')[2] : null;
    });
  }

  #joined(value) {
    const [name] = value.split(' ');
    this.#isJoined = true;
    this.#name = name;
    const [entered = { name: this.home.name, epoch: this.#lobbyEpoch }] = enteredRooms(value);
    this.#entered(entered);
    this.#on.joined();
    const others = this.rooms.filter((room) => room !== this.home);
    this.#enterAll(others);
    if (others.length) this.#askOwn();
  }

  #enterAll(rooms) {
    const names = rooms.map(({ name }) => name);
    for (let at = 0; at < names.length; at += ROOMS_A_JOIN_MAX) this.#enterTogether(names.slice(at, at + ROOMS_A_JOIN_MAX));
  }

  /** Enters rooms of an earlier connection: together or, if the server refuses one of them, each by itself. */
  #enterTogether(names) {
    this.join(names, (reply) => {
      if (!reply || reply.isOk) return;
      if (names.length > 1) return names.forEach((name) => this.#enterTogether([name]));
      const room = this.roomNamed(names[0]);
      if (room) this.#drop(room, reply);
    });
  }

  #resumed(name) {
    this.#isJoined = true;
    this.#name = name;
    // The reply to the login was lost.
    if (this.account.login && !this.account.name) this.account.entered(name);
    if (this.hasRooms) this.#askOwn();
    // The epoch of a room cannot have changed while the user was in it. Without an epoch, the reply to its JOIN was lost.
    for (const room of this.rooms) {
      const epoch = room.epoch ?? (isLobby(room) || !this.hasRooms ? this.#lobbyEpoch : null);
      if (epoch !== null) this.#enter(room, epoch);
    }
    this.#on.joined();
  }

  /** Requests the user's rooms with their topics, and corrects those that the page knows. */
  #askOwn() {
    this.#askRooms('ROOMS own', (reply) => {
      if (!reply?.isOk) return;
      const own = new Set(reply.rooms.map(({ name }) => foldCase(name)));
      for (const { name, topic } of reply.rooms) {
        const room = this.want(name);
        room.topic = topic;
        room.needs.delete('topic');
      }
      // The reply to its PART was lost.
      for (const room of this.rooms) if (room.isEntered && !own.has(foldCase(room.name))) this.#drop(room);
      this.#enterAll(this.rooms.filter((room) => !room.isEntered));
      this.#on.topics();
      this.#fetchMissed();
    });
  }

  #askRooms(line, answered) {
    this.#connection.request(line, (reply) => {
      const rooms = this.#listed.splice(0);
      answered(reply && { isOk: reply.isOk, rooms, next: reply.isOk ? nextRoom(reply.value) : null });
    });
  }

  /** Records that the user has entered a room. Returns it. */
  #entered({ name, epoch }) {
    const room = this.want(name);
    room.name = name;
    this.#left.delete(foldCase(name));
    // The home stays the home, also after the user has left and entered it again.
    if (foldCase(name) === foldCase(this.home.name)) this.home = room;
    if (!room.isEntered) this.#enter(room, epoch);
    return room;
  }

  #enter(room, epoch) {
    room.enter(this.#name, epoch);
    const isBack = room.isNewEpoch || room.missedAfter !== null;
    this.#on.entered(room, isBack);
    if (room.isNewEpoch) this.#on.note(room, isLobby(room) ? RESTARTED : MADE_ANEW);
    if (room === this.current) this.#load(room);
  }

  /** Requests what the page needs to show the room. */
  #load(room) {
    if (!room.isEntered) return;
    if (room.needs.delete('members')) this.#request(room, 'WHO');
    if (room.needs.delete('topic') && this.hasRooms) this.#request(room, 'TOPIC');
    if (room.needs.delete('messages')) this.#catchUp(room);
  }

  /** Requests missed messages of the other rooms, one room at a time: lines of the user must not wait behind many requests. */
  #fetchMissed() {
    const room = this.#isFetching ? null : this.rooms.find((room) => room.isEntered && room.needs.has('messages'));
    if (!room) return;
    this.#isFetching = true;
    room.needs.delete('messages');
    this.#catchUp(room, () => {
      this.#isFetching = false;
      this.#fetchMissed();
    });
  }

  /** Requests past or missed messages. `done()` is called when they have arrived. */
  #catchUp(room, done = () => {}) {
    if (room.missedAfter === null) return this.#askHistory(room, done);
    this.#request(room, `SINCE ${room.missedAfter} ${room.epoch}`, (reply) => {
      if (reply?.isOk) return this.#caughtUp(room, reply, done);
      if (!reply) return;
      this.#on.note(room, reply.code === 'too-old' ? TOO_OLD : refusal(reply), room.missedAfter);
      this.#askHistory(room, done);
    });
  }

  #askHistory(room, done) {
    this.#request(room, `HISTORY ${PAST_MESSAGES}`, (reply) => reply && this.#caughtUp(room, reply, done));
  }

  #caughtUp(room, { last = null }, done) {
    room.hasReadUpTo(last);
    this.#on.caughtUp(room);
    done();
  }

  /** Forgets a room that the user is not in any more. */
  #drop(room, refusal = null) {
    this.#rooms.delete(foldCase(room.name));
    if (!refusal) this.#left.add(foldCase(room.name));
    if (room === this.current) this.current = this.roomNamed(this.home.name) ?? this.rooms[0] ?? this.want(LOBBY);
    this.#on.left(room, refusal);
  }

  #dropAllBut(kept) {
    for (const room of this.rooms) if (room !== kept) this.#drop(room);
  }

  #line(line) {
    if (line.kind === 'ping') this.#connection.send(`PONG ${line.token}`);
    if (line.kind === 'room') return void this.#listed.push(line);
    if (line.kind === 'token') return this.account.listed(line);
    if (line.kind === 'sanction') return this.moderator.listed(line);
    if (this.#isJoined && line.kind === 'leave' && line.reason === 'displaced' && line.name === this.#name) return this.#displaced(line);
    if (line.kind === 'notice' && this.#isShownMotd(line)) return;
    const room = this.#roomOf(line);
    if (!room) return;
    if (line.kind === 'leave' && REMOVALS.has(line.reason) && line.name === this.#name) return this.#kicked(room, line);
    const isNew = room.apply(line);
    this.moderator.follow(room, line, this);
    this.#on.line(room, line, isNew);
  }

  /** The room that a line is about. A whisper is about no room, and neither is a notice: the room that the page shows shows it. */
  #roomOf({ kind, room: name }) {
    if (name === null) return kind === 'whisper' || kind === 'notice' ? this.current : this.home;
    // An invitation is into a room in which the user is not.
    const other = kind === 'invite' ? this.current : null;
    // With echo, the user's own JOIN comes before the reply.
    return this.roomNamed(name) ?? (kind === 'join' ? this.want(name) : other);
  }

  /** Whether the page has shown this line of the message of the day, on an earlier connection. Before the user joins, other notices are rare. */
  #isShownMotd({ text }) {
    if (this.#isJoined) return false;
    // A message may have a line several times.
    this.#newMotd.push(text);
    return this.#motd.has(text);
  }

  /** A moderator has removed the user from the room. */
  #kicked(room, line) {
    this.#drop(room);
    this.#on.kicked(room, line);
  }

  /** The owner of the name has logged in. The connection stays open. */
  #displaced({ name }) {
    this.#isJoined = false;
    this.#name = '';
    this.#token = null;
    this.#leaveAll();
    this.forgetName();
    this.#on.displaced(name);
  }

  #closed(how) {
    clearTimeout(this.#timer);
    this.#isGreeted = false;
    this.#isJoined = false;
    this.#newMotd.splice(0).forEach((text) => this.#motd.add(text));
    // The account was deleted, on a server without guests, or the operator has set another password.
    if (how.closeReason?.code === 'login-required') this.account.ended();
    this.#on.closed(how);
  }
}

function isLobby(room) {
  return foldCase(room.name) === LOBBY;
}

/** Whether a host name of a URL stands for the machine of the browser. */
function isOwnMachine(hostname) {
  return /^(?:(?:.+\.)?localhost\.?|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
