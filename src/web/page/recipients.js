// The recipients of the next message. A choice refers to the member, not to the name: after a rename the member is still chosen, and
// another member who takes the name later is not. Pure: no document.

export class Recipients {
  /** Names by member key. For a name that no member has had yet, the key is the name itself. */
  #chosen = new Map();
  #here = new Set();
  #changed;

  /** `changed()` is called when the choice changes, or when a chosen member joins, leaves or is renamed. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** The recipients as `{ name, isHere }`. An empty list means everybody. */
  get list() {
    return [...this.#chosen].map(([key, name]) => ({ name, isHere: this.#here.has(key) }));
  }

  get names() {
    return [...this.#chosen.values()];
  }

  /** The recipients as `{ key, name }`, to be passed to `choose` later. */
  get chosen() {
    return [...this.#chosen].map(([key, name]) => ({ key, name }));
  }

  has(key) {
    return this.#chosen.has(key);
  }

  /** Adds or removes a member. Returns whether it is chosen now. */
  toggle({ key, name }) {
    const isChosen = !this.#chosen.delete(key);
    if (isChosen) {
      this.#forgetAbsent(name);
      this.#chosen.set(key, name);
      this.#here.add(key);
    }
    this.#changed();
    return isChosen;
  }

  /** Adds members, present or not. A member without a key stands for the first member found under its name. */
  choose(members, room) {
    for (const { key, name } of members) this.#chosen.set(key ?? name, name);
    this.follow(room);
    this.#changed();
  }

  clear() {
    this.#chosen.clear();
    this.#here.clear();
    this.#changed();
  }

  /** Updates names and presence from the room. */
  follow(room) {
    const before = JSON.stringify(this.list);
    const chosen = [...this.#chosen];
    this.#chosen.clear();
    this.#here.clear();
    for (const [key, name] of chosen) {
      const member = typeof key === 'string' ? room.memberNamed(key) : room.member(key);
      this.#chosen.set(member?.key ?? key, member?.name ?? name);
      if (member) this.#here.add(member.key);
    }
    if (JSON.stringify(this.list) !== before) this.#changed();
  }

  /** Removes a member who has left and has this name, since another member of this name is chosen. */
  #forgetAbsent(name) {
    for (const [key, chosen] of this.#chosen) {
      if (chosen === name) this.#chosen.delete(key);
    }
  }
}
