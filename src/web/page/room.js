// The state of the room: the members, the epoch and the ids received. `Session` passes in each line of the server. Pure: no clock, no
// document.

/** Most ids of live messages that are remembered, so that none is shown twice: many more than arrive during a replay. */
const LIVE_IDS_MAX = 4000;

export class Room {
  /** The user's name; empty before joining. */
  me = '';
  /** The members in the last reply to STATUS, `{ key, name, isCoordinator, details }`. Replaced, never changed. */
  status = [];
  /** The epoch of the ids. */
  epoch = null;
  /** The newest id: of a message received, or reported by the server. Null before the first. */
  lastId = null;

  /** The members by key, in the order in which they joined. A rename keeps the key. */
  #members = new Map();
  #keys = new Map();
  #nextKey = 1;
  #coordinator = null;
  /** The members as a list, or null after a change. */
  #people = [];

  #listed = [];
  /** Length of the ROSTER that is being received; 0 if there is none. */
  #rosterCount = 0;
  /** The id of the last message before the user took the current name; Infinity until known. Other members may have had it before. */
  #namedAfter = Infinity;
  /** Whether the replay on this connection is complete. */
  #isCaughtUp = false;
  #liveIds = new Set();
  /** The last replayed id. Replays are in order: everything up to it has arrived. */
  #replayedUpTo = 0;

  /** The members, `{ key, name, isCoordinator }`, in the order in which they joined. Replaced, never changed. */
  get people() {
    this.#people ??= [...this.#members.values()];
    return this.#people;
  }

  get isCoordinator() {
    return this.me !== '' && this.memberNamed(this.me)?.isCoordinator === true;
  }

  /** Whether the user wrote this message. */
  isOwn({ kind, name, id }) {
    return name === this.me && (kind !== 'past' || id > this.#namedAfter);
  }

  member(key) {
    return this.#members.get(key);
  }

  memberNamed(name) {
    return this.#members.get(this.#keys.get(name));
  }

  /** Records that the user has the current name from this event on. */
  beginName() {
    this.#namedAfter = this.#isCaughtUp ? this.lastId : Infinity;
  }

  /** Prepares for a new connection, which replays past or missed messages. */
  beginReplay() {
    this.#isCaughtUp = false;
  }

  /** Begins another epoch, with other ids. */
  begin(epoch) {
    this.epoch = epoch;
    this.lastId = null;
    this.#namedAfter = Infinity;
    this.#liveIds.clear();
    this.#replayedUpTo = 0;
  }

  /** Applies a line. Returns whether to show it: a message that arrives twice is shown once. */
  apply(line) {
    CHANGES[line.kind]?.(this, line);
    if (line.id > this.lastId) this.lastId = line.id;
    if (line.kind === 'past') return this.#isFirstReplay(line.id);
    if (line.kind !== 'msg') return SHOWN.has(line.kind);
    this.#liveIds.add(line.id);
    if (this.#liveIds.size > LIVE_IDS_MAX) this.#liveIds.delete(this.#liveIds.values().next().value);
    return true;
  }

  /** Ends the replay: every requested message up to this id has arrived. */
  hasReadUpTo(id) {
    this.lastId = Math.max(this.lastId, id);
    this.#isCaughtUp = true;
    if (this.#namedAfter === Infinity) this.#namedAfter = id;
  }

  #isFirstReplay(id) {
    const isFirst = id > this.#replayedUpTo && !this.#liveIds.has(id);
    this.#replayedUpTo = Math.max(this.#replayedUpTo, id);
    return isFirst;
  }

  /** Removes and returns the users listed so far. */
  takeListed() {
    return this.#listed.splice(0);
  }

  list(user) {
    this.#listed.push(user);
    if (this.#listed.length !== this.#rosterCount) return;
    this.replaceMembers(this.takeListed());
    this.#rosterCount = 0;
  }

  /** Drops an incomplete list. */
  forgetListed() {
    this.beginRoster(0);
  }

  /** Prepares for a ROSTER with this number of USER lines. */
  beginRoster(count) {
    this.#listed = [];
    this.#rosterCount = count;
  }

  /** Replaces the members. A member of the same name as before keeps its key. */
  replaceMembers(users) {
    const keys = this.#keys;
    this.#members = new Map();
    this.#keys = new Map();
    this.#coordinator = null;
    for (const { name, isCoordinator } of users) {
      this.#put({ key: keys.get(name) ?? this.#nextKey++, name, isCoordinator });
    }
    this.#people = null;
  }

  join(name) {
    this.#put({ key: this.#nextKey++, name, isCoordinator: false });
  }

  leave(name) {
    this.#members.delete(this.#keys.get(name));
    this.#keys.delete(name);
    this.#people = null;
  }

  rename(name, to) {
    const member = this.memberNamed(name);
    if (!member) return;
    this.#keys.delete(name);
    this.#put({ ...member, name: to });
  }

  makeCoordinator(name) {
    const [before, member] = [this.#members.get(this.#coordinator), this.memberNamed(name)];
    if (before) this.#put({ ...before, isCoordinator: false });
    if (member) this.#put({ ...member, isCoordinator: true });
  }

  #put(member) {
    this.#members.set(member.key, member);
    this.#keys.set(member.name, member.key);
    if (member.isCoordinator) this.#coordinator = member.key;
    this.#people = null;
  }
}

const SHOWN = new Set(['join', 'leave', 'rename', 'coordinator', 'whisper', 'notice', 'clear']);

const CHANGES = {
  roster: (room, { count }) => room.beginRoster(count),
  user: (room, { name, isCoordinator, details }) => room.list({ name, isCoordinator, details }),
  ok: (room, { verb }) => {
    if (verb === 'WHO') room.replaceMembers(room.takeListed());
    if (verb === 'STATUS') room.status = room.takeListed().map((user) => ({ ...user, key: user.details.id }));
  },
  join: (room, { name }) => {
    // A client without a name gets no JOIN of others: the first JOIN is the user's own.
    room.me ||= name;
    if (name === room.me) room.beginName();
    room.join(name);
  },
  leave: (room, { name }) => room.leave(name),
  rename: (room, { name, to }) => {
    if (name === room.me) {
      room.me = to;
      room.beginName();
    }
    room.rename(name, to);
  },
  coordinator: (room, { name }) => room.makeCoordinator(name),
};
