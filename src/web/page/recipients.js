// To whom the next message goes. Members are chosen by identity: a rename does not lose one, and somebody who takes the name
// of one who left does not get what was meant for them. No document here.

export class Recipients {
  /** Names by the keys of their members; of a name that no member has had yet, the name is the key. */
  #chosen = new Map();
  #here = new Set();
  #changed;

  /** `changed()`: others are chosen, or one of them came, left or has another name. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** `{ name, isHere }` for each. Nobody means everybody. */
  get list() {
    return [...this.#chosen].map(([key, name]) => ({ name, isHere: this.#here.has(key) }));
  }

  get names() {
    return [...this.#chosen.values()];
  }

  /** `{ key, name }` for each, to choose the same ones again. */
  get chosen() {
    return [...this.#chosen].map(([key, name]) => ({ key, name }));
  }

  has(key) {
    return this.#chosen.has(key);
  }

  /** Chooses a member, or no longer. Returns whether it is chosen now. */
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

  /** Chooses these, too, whether they are here or not. One without a key is whoever has the name in the room, or will have. */
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

  /** Takes in who is in the room now. */
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

  /** One who left is not meant any more where another is chosen by the same name. */
  #forgetAbsent(name) {
    for (const [key, chosen] of this.#chosen) {
      if (chosen === name) this.#chosen.delete(key);
    }
  }
}
