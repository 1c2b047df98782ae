// Ways to a room: the column, the dialog, the address of the page, and links of the browser's history. Also the head of the room.

import { roomInAddress, showInAddress, wasShown } from './address.js';
import { problemOfLeaving } from './commands.js';
import { RoomFinder } from './finder.js';
import { RoomHead } from './room-head.js';
import { RoomColumn } from './rooms.js';
import { LOBBY } from './session.js';
import { refusal } from './wording.js';

const NOT_CONNECTED = 'Not connected. Try again later.';

/** The refusal of a name that the server would not read as one word. */
const INVALID = { isOk: false, code: 'room-invalid', what: '', hint: null };

const byId = (id) => document.getElementById(id);

export class Navigation {
  #session;
  #composer;
  #opened;
  #column = new RoomColumn((name, pointer) => {
    this.#column.close();
    this.go(name);
    if (pointer === 'mouse') this.#composer.focus();
  });
  #finder = new RoomFinder(
    (prefix, after, answered) => this.#session.list(prefix, after, answered),
    (name) => this.#enter(name),
  );
  #head = new RoomHead({ setTopic: (text) => this.#setTopic(text), leave: () => this.#leave() });

  /** `opened(room, from)` is called to show a room; `from` is the conversation in which the user has typed `/join`, otherwise null. */
  constructor({ session, composer, opened }) {
    this.#session = session;
    this.#composer = composer;
    this.#opened = opened;
    byId('find-room').addEventListener('click', () => {
      this.#column.close();
      this.find();
    });
    addEventListener('hashchange', () => this.#follow());
  }

  /** Shows a room, and enters it first if the user is not in it. */
  go(name) {
    const room = this.#session.roomNamed(name);
    if (room) this.#open(room, true);
    else this.join([name], (reply) => reply?.isOk || this.#composer.explain(reply ? refusal(reply) : NOT_CONNECTED));
  }

  /**
   * Enters rooms, and shows the last of them. `answered` gets the reply, or null without a connection. `from` is the conversation in which
   * the command was typed.
   */
  join(names, answered, from = null) {
    if (!names.every(isRoomName)) return answered(INVALID);
    this.#session.join(names, (reply, rooms) => {
      answered(reply);
      this.#composer.afterComposition(() => {
        const room = rooms.findLast(({ name }) => this.#session.roomNamed(name));
        if (room) this.#open(room, true, from);
      });
    });
  }

  /** Opens the dialog to find or make a room. */
  find() {
    this.#finder.open();
  }

  /** Lets screen readers announce a text. */
  announce(text) {
    byId('announcement').textContent = text;
  }

  /** Shows the room that the page shows in the address. */
  show() {
    if (this.#session.hasRooms) showInAddress(this.#session.current.name, false);
  }

  /** Updates the column and the head. */
  draw(conversations) {
    const { hasRooms, current, rooms } = this.#session;
    const own = conversations.all.filter(({ room }) => this.#session.roomNamed(room.name) === room);
    this.#column.show(own, conversations.current, hasRooms && this.#session.me !== '');
    const isOnly = rooms.length < 2;
    const isShown = hasRooms && (!isOnly || current.topic !== '' || current.name !== LOBBY);
    this.#head.show(current, { isShown, isOnly });
    this.#composer.audience = isOnly ? 'everybody' : current.name;
  }

  #open(room, isNewEntry, from = null) {
    const { current } = this.#session;
    if (room !== current) {
      this.#opened(room, from);
      this.announce(`${room.name} is open.`);
    }
    showInAddress(room.name, isNewEntry);
  }

  /** Follows the address, which the user has changed: with a link, or with back and forward. */
  #follow() {
    const session = this.#session;
    if (!session.hasRooms && session.isConnected) return;
    const name = roomInAddress() ?? LOBBY;
    const room = session.roomNamed(name);
    if (room) return this.#open(room, false);
    if (!session.isConnected) return this.#open(session.want(name), false);
    // Going back to a room that the user has left does not enter it again.
    const hasLeft = wasShown();
    this.show();
    if (hasLeft) this.#finder.open(name, `You have left ${name}.`);
    else this.go(name);
  }

  /** Enters a room from the dialog. */
  #enter(name) {
    const room = this.#session.roomNamed(name);
    if (room) {
      this.#finder.close();
      return this.#open(room, true);
    }
    this.join([name], (reply) => {
      if (reply?.isOk) this.#finder.close();
      else this.#finder.explain(reply ? refusal(reply) : NOT_CONNECTED);
    });
  }

  #setTopic(text) {
    this.#session.setTopic(this.#session.current, text, (reply) => {
      if (reply?.isOk) this.#head.close();
      else this.#head.refuse(reply ? refusal(reply) : NOT_CONNECTED);
    });
  }

  #leave() {
    const problem = problemOfLeaving(this.#session);
    if (problem) return this.#composer.explain(problem);
    this.#session.part(this.#session.current, '', (reply) => {
      if (!reply?.isOk) this.#composer.explain(reply ? refusal(reply) : NOT_CONNECTED);
    });
  }
}

function isRoomName(name) {
  return /^#[^\p{White_Space},]+$/u.test(name);
}
