// Moderation on the page: the menu of a member, the dialog for an action, and the list of bans and mutes. `ranks.js` has what each rank may do;
// the server decides, and the page shows in plain words what it refuses.
//
// The subject of a menu is a member, `{ key, name }`; at a message, it also has that: `{ key, name, message }`. LOCK and INVITE are about a room:
// the composer has commands for them.

import { BanList } from './bans.js';
import { wholeDuration } from './dates.js';
import { MemberMenu } from './member-menu.js';
import { ModerationDialog } from './moderation-dialog.js';
import { formatDelete, formatKick, formatLift, formatModerator, formatSanction, isUnstored } from './protocol.js';
import { actionsFor, isOperator, moderates } from './ranks.js';
import { refusal } from './wording.js';

const NOT_CONNECTED = 'Not connected. Try again later.';
const NOT_MODERATOR = 'Only the owner of the room, its moderators and the operators of the server can do that.';
const UNSTORED = 'The server could not store this. It holds now, and a restart of the server would undo it.';

/** Seconds of each unit of a duration. */
const SECONDS = { m: 60, h: 3600, d: 86_400 };

const byId = (id) => document.getElementById(id);

export class Moderation {
  #session;
  #conversations;
  #whisper;
  #menu = new MemberMenu({ actionsOf: (subject) => this.#actionsOf(subject), run: (action, subject) => this.#run(action, subject) });
  #dialog = new ModerationDialog((about) => this.#submit(about));
  #bans = new BanList({ ask: (...request) => this.#askBans(...request), lift: (...request) => this.#lift(...request) });

  /** `whisper(member)` makes a member a recipient of the next message. */
  constructor({ session, conversations, whisper }) {
    this.#session = session;
    this.#conversations = conversations;
    this.#whisper = whisper;
    byId('show-bans').addEventListener('click', () => this.showBans());
  }

  /** Opens the menu of a member, `{ key, name }`, of the room that the page shows. */
  openMenu(member, anchor) {
    this.#menu.open(member, anchor);
    // Ranks may have changed without an event.
    this.#session.listMembers(this.#session.current, () => this.#menu.refresh());
  }

  /** Opens the menu for a name in the log, which may be that of a member that has left; `message` is the one of which it is the author. */
  openMenuOf(name, anchor, message) {
    this.openMenu({ ...(this.#session.current.memberNamed(name) ?? { name }), message }, anchor);
  }

  /** Opens the menu of a message, if the user may delete it. Returns whether it does. */
  openMenuAt(message, anchor) {
    const mayDelete = this.#mayDelete(message);
    if (mayDelete) this.openMenuOf(message.author, anchor, message);
    return mayDelete;
  }

  /** Deletes the user's last message in a room. Returns why there is nothing to delete. `refused(reason)` is called if the server refuses it. */
  deleteLast(room, refused) {
    const message = this.#conversations.of(room).transcript.lastOwn;
    if (!message) return 'You have sent no message here.';
    this.send(room, formatDelete(message.order), refused);
    return '';
  }

  /** Opens the dialog for an action that the user has typed. `refused(reason)` is called if the user may not do it. */
  begin({ action, name, reason }, refused) {
    const { current: room } = this.#session;
    const subject = room.memberNamed(name) ?? { name };
    this.#ifModerator(room, refused, () => this.#open({ action, subject, room, reason }));
  }

  /** Shows the bans and mutes of the room that the page shows. */
  showBans(refused = () => {}) {
    const { current: room } = this.#session;
    this.#ifModerator(room, refused, () => this.#bans.open(room, isOperator(room.rank)));
  }

  /** Makes the account of this name a moderator of a room, or takes that back. `refused(reason)` is called if the server refuses it. */
  setModerator(room, name, isModerator, refused) {
    this.send(room, formatModerator(name, isModerator), refused);
  }

  /** Sends a command about a room whose effect an event says. `refused(reason)` is called if the server refuses it. */
  send(room, command, refused) {
    this.#session.moderator.send({ room, isOnServer: false }, command, (reply) => {
      if (!reply?.isOk) return refused(textOf(reply));
      if (isUnstored(reply.value)) this.#note(room, UNSTORED);
    });
  }

  /** Follows the rooms: shows what the user may do now. */
  show() {
    const { current: room, isConnected } = this.#session;
    byId('show-bans').hidden = !isConnected || !moderates(room.rank);
    this.#menu.refresh();
  }

  /** Follows the lines about a room. */
  follow(room, { kind }) {
    if (kind === 'mute' || kind === 'ban' || kind === 'lifted') this.#bans.changed(room);
  }

  /** Closes the dialogs, which are about the room that the page has shown. */
  close() {
    this.#dialog.close();
    this.#bans.close();
  }

  #ifModerator(room, refused, done) {
    if (!this.#session.isConnected) return refused(NOT_CONNECTED);
    this.#session.listMembers(room, () => (moderates(room.rank) ? done() : refused(NOT_MODERATOR)));
  }

  #actionsOf({ key, name, message }) {
    const { current: room } = this.#session;
    const member = room.member(key) ?? room.memberNamed(name);
    const isMe = member && member.name === room.me;
    const actions = isMe ? [] : actionsFor(room.rank, member?.rank ?? '', member !== undefined);
    return this.#mayDelete(message) ? [...actions, 'delete'] : actions;
  }

  #mayDelete(message) {
    const { current: room, isConnected } = this.#session;
    return Boolean(message) && isConnected && !message.isDeleted && (message.isOwn || moderates(room.rank));
  }


  #run(action, subject) {
    const { current: room } = this.#session;
    // The member may have another name by now.
    const { name } = room.member(subject.key) ?? subject;
    if (action === 'delete') return this.send(room, formatDelete(subject.message.order), (reason) => this.#note(room, reason));
    if (action === 'whisper') return this.#whisper(room.memberNamed(name) ?? { name });
    if (action === 'appoint' || action === 'dismiss') {
      return this.setModerator(room, name, action === 'appoint', (reason) => this.#note(room, reason));
    }
    this.#open({ action, subject: { ...subject, name }, room });
  }

  #open(about) {
    this.#dialog.open(about, isOperator(about.room.rank));
  }

  /** Does what the user has chosen in the dialog. */
  #submit({ action, subject, room, isOnServer, duration, reason }) {
    const { name } = room.member(subject.key) ?? subject;
    const target = action === 'ban-connection' ? `@${name}` : name;
    const verb = action === 'mute' ? 'MUTE' : 'BAN';
    const command = action === 'kick' ? formatKick(name, reason) : formatSanction(verb, target, duration, reason);
    this.#session.moderator.send({ room, isOnServer }, command, (reply) => {
      if (!reply?.isOk) return this.#dialog.refuse(textOf(reply));
      this.#dialog.close(subject);
      // In the room, an event says it.
      if (isOnServer && action !== 'kick') this.#note(room, onServer(action, name, duration));
      if (isUnstored(reply.value)) this.#note(room, UNSTORED);
    });
  }

  #askBans(place, after, answered) {
    this.#session.moderator.listBans(place, after, ({ reply, bans, next }) => {
      if (!reply?.isOk) return answered({ problem: textOf(reply) });
      answered({ bans: bans.map((ban) => ({ ...ban, key: ban.number })), next });
    });
  }

  #lift(place, { of, number }, answered) {
    this.#session.moderator.send(place, formatLift(of, number), (reply) => {
      // Another moderator may have lifted it.
      const isOver = reply?.isOk || reply?.code === 'ban-unknown';
      answered(isOver ? '' : textOf(reply));
    });
  }

  #note(room, text) {
    this.#conversations.of(room).note(text);
  }
}

function textOf(reply) {
  return reply ? refusal(reply) : NOT_CONNECTED;
}

/** What has happened to a member on the whole server. */
function onServer(action, name, duration) {
  const [, count, unit] = /^(\d+)(\w)$/.exec(duration) ?? [];
  const time = count ? ` for ${wholeDuration(count * SECONDS[unit])}` : '';
  if (action === 'mute') return `You have muted ${name} on the whole server${time}.`;
  const whom = action === 'ban' ? name : `the connection of ${name}`;
  return `You have banned ${whom} from the whole server${time}.`;
}
