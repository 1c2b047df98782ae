// Who is here and what was said, from the server's lines alone: no clock, no document.

/** Ids of new messages that are remembered, to tell none twice: many more than are said while what was missed is told. */
const READ_MAX = 4000;

export class Room {
  /** One's own name; empty as long as there is none. */
  me = '';
  /** Those who are here, `{ name, isCoordinator }`, in the order in which they joined. Replaced, never changed. */
  people = [];
  /** Those of the last STATUS, `{ name, isCoordinator, details }`. Replaced, never changed. */
  status = [];
  /** What the ids belong to. */
  epoch = null;
  /** The last id read; 0 for none. */
  lastId = 0;

  #listed = [];
  /** How many are listed in a ROSTER; 0 while there is none. */
  #rosterCount = 0;
  #read = new Set();
  /** The last id that was told again. What is told comes in order: all up to here was. */
  #toldUpTo = 0;

  get isCoordinator() {
    return this.people.some(({ name, isCoordinator }) => isCoordinator && name === this.me);
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
    this.people = this.takeListed();
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
}

const SHOWN = new Set(['join', 'leave', 'rename', 'coordinator', 'whisper', 'notice', 'clear']);

const CHANGES = {
  roster: (room, { count }) => room.beginRoster(count),
  user: (room, { name, isCoordinator, details }) => room.list({ name, isCoordinator, details }),
  ok: (room, { verb }) => {
    if (verb === 'WHO') room.people = room.takeListed();
    if (verb === 'STATUS') room.status = room.takeListed();
  },
  join: (room, { name }) => {
    // Who has no name is told of no others: the first who joins is oneself.
    room.me ||= name;
    room.people = [...room.people, { name, isCoordinator: false }];
  },
  leave: (room, { name }) => {
    room.people = room.people.filter((person) => person.name !== name);
  },
  rename: (room, { name, to }) => {
    if (name === room.me) room.me = to;
    room.people = room.people.map((person) => (person.name === name ? { ...person, name: to } : person));
  },
  coordinator: (room, { name }) => {
    room.people = room.people.map((person) => ({ ...person, isCoordinator: person.name === name }));
  },
};
