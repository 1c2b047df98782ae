// The part of the session that is about moderation: keeps the ranks of members true, sends commands of moderators, and receives the list of bans
// and mutes. `Session` passes in the lines. No document.

import { foldCase } from './case.js';
import { formatBans, inRoom, nextBan } from './protocol.js';

/** Lines after which a member may have a rank that they do not say. */
const RANK_LINES = new Set(['join', 'rename', 'moderator']);

/** Time after such a line in which the members are requested once: at least, and for each member, in milliseconds. */
const RANKS_MS = 1000;
const RANKS_MEMBER_MS = 50;

export class Moderator {
  #request;
  #load;
  /** Requests the members whose ranks may have changed; null if none may. */
  #timer = null;
  /** The bans and mutes of the list that is being received. */
  #bans = [];

  /** `request(line, answered)` sends a line. `load()` requests what the page needs to show the present room. */
  constructor({ request, load }) {
    this.#request = request;
    this.#load = load;
  }

  /** The user's own ranks in these rooms may have changed. */
  ranksChanged(rooms) {
    for (const room of rooms) room.needs.add('members');
    this.#load();
  }

  /** Follows a line about a room: the ranks of its members may have changed. Asks less often where there are many members. */
  follow(room, { kind, name }, { account, hasAccounts }) {
    if (!RANK_LINES.has(kind) || !hasAccounts || (kind === 'join' && name === room.me)) return;
    if (kind === 'moderator' && foldCase(name) === foldCase(account.name)) return this.ranksChanged([room]);
    room.needs.add('members');
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#load();
    }, Math.max(RANKS_MS, room.people.length * RANKS_MEMBER_MS));
  }

  /** Sends a command about a room or the whole server. The room is named, also the home: otherwise an operator means the server. */
  send({ room, isOnServer }, command, answered) {
    this.#request(isOnServer ? command : inRoom(room.name, command), answered);
  }

  /** Lists the bans and mutes of a room or of the server. `answered` gets `{ reply, bans, next }`; the reply is null without a connection. */
  listBans(place, after, answered) {
    this.send(place, formatBans(after), (reply) => {
      const bans = this.#bans.splice(0);
      answered({ reply, bans, next: reply?.isOk ? nextBan(reply.value) : null });
    });
  }

  /** A line of the list has arrived. */
  listed(ban) {
    this.#bans.push(ban);
  }

  /** Prepares for a new connection. */
  beginConnection() {
    this.#bans = [];
  }
}
