// Who is here and what was said, from the server's lines alone: no clock, no document.

/** Ids of new messages that are remembered, to tell none twice: many more than are said while what was missed is told. */
const READ_MAX = 4000;

export class Room {
  /** One's own name; empty as long as there is none. */
  me = '';
  /** Those of the last STATUS, `{ key, name, isCoordinator, details }`. Replaced, never changed. */
  status = [];
  /** What the ids belong to. */
  epoch = null;
  /** The last id read; 0 for none. */
  lastId = 0;

  /** The members by their keys, in the order in which they joined. A member keeps its key when its name changes. */
  #members = new Map();
  #keys = new Map();
  #nextKey = 1;
  #coordinator = null;
  /** The members as a list, until one of them changes. */
  #people = [];

  #listed = [];
  /** How many are listed in a ROSTER; 0 while there is none. */
  #rosterCount = 0;
  #read = new Set();
  /** The last id that was told again. What is told comes in order: all up to here was. */
  #toldUpTo = 0;

  /** The members, `{ key, name, isCoordinator }`, in the order in which they joined. Replaced, never changed. */
  get people() {
    this.#people ??= [...this.#members.values()];
    return this.#people;
  }

  get isCoordinator() {
    return this.me !== '' && this.memberNamed(this.me)?.isCoordinator === true;
  }

  member(key) {
    return this.#members.get(key);
  }

  memberNamed(name) {
    return this.#members.get(this.#keys.get(name));
  }

  /** Ids begin anew. */
  begin(epoch) {
    this.epoch = epoch;
    this.lastId = 0;
    this.#read.clear();
    this.#toldUpTo = 0;
  }

  /** Takes a line in. Whether there is something to show: a message that is told twice is not. */
  apply(line) {
    CHANGES[line.kind]?.(this, line);
    if (line.id > this.lastId) this.lastId = line.id;
    if (line.kind === 'past') return this.#isToldFirst(line.id);
    if (line.kind !== 'msg') return SHOWN.has(line.kind);
    this.#read.add(line.id);
    if (this.#read.size > READ_MAX) this.#read.delete(this.#read.values().next().value);
    return true;
  }

  #isToldFirst(id) {
    const isFirst = id > this.#toldUpTo && !this.#read.has(id);
    this.#toldUpTo = Math.max(this.#toldUpTo, id);
    return isFirst;
  }

  /** Where a list ends: those who were listed since the last one. */
  takeListed() {
    return this.#listed.splice(0);
  }

  list(user) {
    this.#listed.push(user);
    if (this.#listed.length !== this.#rosterCount) return;
    this.replaceMembers(this.takeListed());
    this.#rosterCount = 0;
  }

  /** A list that was not told to its end. */
  forgetListed() {
    this.beginRoster(0);
  }

  /** What was missed of who came and went stands in the next lines: so many. */
  beginRoster(count) {
    this.#listed = [];
    this.#rosterCount = count;
  }

  /** These are the members now. One who was here by the same name keeps its key. */
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
    // Who has no name is told of no others: the first who joins is oneself.
    room.me ||= name;
    room.join(name);
  },
  leave: (room, { name }) => room.leave(name),
  rename: (room, { name, to }) => {
    if (name === room.me) room.me = to;
    room.rename(name, to);
  },
  coordinator: (room, { name }) => room.makeCoordinator(name),
};
