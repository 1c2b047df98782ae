// The state of one room: the members, the epoch and the ids received. `Session` passes in each line of the server. Pure: no clock, no
// document.

/** The key of the next member. Keys are unique over all rooms, so that a press in one list never chooses a member of another. */
let nextKey = 1;

/** Most ids of live messages that are remembered, so that none is shown twice: many more than arrive during a replay. */
const LIVE_IDS_MAX = 4000;

export class Room {
  name;
  /** The user's name; empty before joining. */
  me = '';
  /** The members in the last reply to STATUS, `{ key, name, isCoordinator, rank, details }`. Replaced, never changed. */
  status = [];
  /** The epoch of the ids. */
  epoch = null;
  /** The newest id: of a message received, or reported by the server. Null before the first. */
  lastId = null;
  /** The last id received before the connection was lost; null if none is known, or after a change of the epoch. */
  missedAfter = null;
  /** Whether the epoch has changed since the last connection. */
  isNewEpoch = false;
  /** Whether the user has entered the room on this connection. */
  isEntered = false;
  /** What the page has not requested on this connection yet: `members`, `messages`, `topic`. */
  needs = new Set();
  topic = '';

  /** The members by key, in the order in which they joined. A rename keeps the key. */
  #members = new Map();
  #keys = new Map();
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

  constructor(name = '#lobby') {
    this.name = name;
  }

  /** The members, `{ key, name, isCoordinator, rank }`, in the order in which they joined. Replaced, never changed. */
  get people() {
    this.#people ??= [...this.#members.values()];
    return this.#people;
  }

  get isCoordinator() {
    return this.me !== '' && this.memberNamed(this.me)?.isCoordinator === true;
  }

  /** The user's rank in the room; empty without one. */
  get rank() {
    return this.memberNamed(this.me)?.rank ?? '';
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
    this.#namedAfter = this.#isCaughtUp ? this.lastId ?? Infinity : Infinity;
  }

  /** Prepares for a new connection, on which the user has not entered the room yet. */
  beginConnection() {
    this.forgetListed();
    this.isEntered = false;
    // If the last replay was interrupted, the next one repeats it from its beginning, even if later messages have arrived since.
    if (this.#isCaughtUp || this.missedAfter === null) this.missedAfter = this.lastId;
    this.#isCaughtUp = false;
  }

  /** Records that the user has entered the room, under this name, in this epoch. */
  enter(me, epoch) {
    this.me = me;
    this.isEntered = true;
    this.needs = new Set(['members', 'messages', 'topic']);
    this.isNewEpoch = this.epoch !== null && this.epoch !== epoch;
    if (this.epoch !== epoch) this.begin(epoch);
  }

  /** Begins another epoch, with other ids. */
  begin(epoch) {
    this.epoch = epoch;
    this.lastId = null;
    this.missedAfter = null;
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

  /** Ends the replay: every requested message up to this id has arrived; null if the server refused to send them. */
  hasReadUpTo(id) {
    this.#isCaughtUp = true;
    if (id === null) return;
    this.lastId = Math.max(this.lastId, id);
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

  /** Replaces the members. A member of the same name as before keeps its key and, if nothing has changed, its object. */
  replaceMembers(users) {
    const [keys, members] = [this.#keys, this.#members];
    this.#members = new Map();
    this.#keys = new Map();
    this.#coordinator = null;
    for (const { name, isCoordinator, rank } of users) {
      const before = members.get(keys.get(name));
      const isSame = before && before.isCoordinator === isCoordinator && before.rank === rank;
      this.#put(isSame ? before : { key: before?.key ?? nextKey++, name, isCoordinator, rank });
    }
    this.#people = null;
  }

  /** JOIN does not say the rank; WHO does. */
  join(name) {
    this.#put({ key: nextKey++, name, isCoordinator: false, rank: '' });
  }

  /** An account of this name is a moderator of the room, or is none any more. Its member may have another nickname: WHO knows. */
  setModerator(name, isModerator) {
    const member = this.memberNamed(name);
    const rank = isModerator ? 'moderator' : '';
    if (member && member.rank !== 'owner' && member.rank !== 'operator') this.#put({ ...member, rank });
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

const SHOWN = new Set(['join', 'leave', 'rename', 'coordinator', 'topic', 'mute', 'ban', 'lifted', 'moderator', 'lock', 'invite', 'whisper', 'notice', 'clear']);

const CHANGES = {
  roster: (room, { count }) => room.beginRoster(count),
  user: (room, { name, isCoordinator, rank, details }) => room.list({ name, isCoordinator, rank, details }),
  topic: (room, { text }) => (room.topic = text),
  ok: (room, { verb, value }) => {
    if (verb === 'TOPIC') room.topic = value;
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
    // The session may know the new name already, from a reply or another room.
    if (name === room.me || to === room.me) {
      room.me = to;
      room.beginName();
    }
    room.rename(name, to);
  },
  coordinator: (room, { name }) => room.makeCoordinator(name),
  moderator: (room, { name, isModerator }) => room.setModerator(name, isModerator),
};
