// Carries out typed lines: sends messages and whispers, shows them as pending until the server acknowledges them, and puts refused text
// back into the box. It sends either all lines or none.

import { LINE_BYTES_MAX, byteLength, formatMessage, formatWhisper } from './protocol.js';
import { looksLikeSecret } from './secrets.js';
import { readLine } from './typed.js';
import { NOT_SENT_DISCONNECTED, listed, refusal } from './wording.js';

const UNCONFIRMED = 'The connection was lost before the server confirmed this. Check whether it was sent before you send it again.';
const LIKE_A_PASSWORD = 'Not sent: it looks like a password. To send it as a message, begin with a space.';
const ONE_AT_A_TIME = 'Not sent: a command must be the only line.';

export class Sending {
  #session;
  #conversations;
  #composer;
  #commands;

  /**
   * `conversations.current` is the conversation that the page shows, `conversations.of(room)` that of a room. `commands` has a function for
   * each kind of command. It gets the result of `readLine`, and may return the reason why it refuses it.
   */
  constructor({ session, conversations, composer, commands }) {
    this.#session = session;
    this.#conversations = conversations;
    this.#composer = composer;
    this.#commands = commands;
  }

  /** Sends lines. Returns the reason why they cannot be sent, or an empty string. */
  send(lines) {
    const conversation = this.#conversations.current;
    const { recipients } = conversation.draft;
    // The views are updated once a frame: another member may have taken a chosen name since.
    recipients.follow(conversation.room);
    const typed = lines.map((line) => ({ ...readLine(line), raw: line }));
    const isCommand = ({ kind }) => kind in this.#commands;
    const reason = this.#problem(typed, isCommand);
    if (reason) return reason;
    if (isCommand(typed[0])) return this.#commands[typed[0].kind]({ ...typed[0], from: conversation }) ?? '';
    const { chosen } = recipients;
    typed.forEach((line) => this.#deliver(line, chosen, conversation));
    // The choice stays if all lines name their recipients.
    if (typed.some(isForChosen)) recipients.clear();
    return '';
  }

  /** `{ bytes, max }`: the length and the limit of the line that has the least room left. */
  measure(lines) {
    const lengths = lines.map((line) => this.#length(readLine(line)));
    return lengths.reduce((longest, each) => (each.max - each.bytes < longest.max - longest.bytes ? each : longest), {
      bytes: 0, max: LINE_BYTES_MAX,
    });
  }

  #problem(typed, isCommand) {
    const wrong = typed.find(({ kind }) => kind === 'wrong');
    if (wrong) return wrong.hint;
    if (typed.length > 1 && typed.some(isCommand)) return ONE_AT_A_TIME;
    if (isCommand(typed[0])) return '';
    const long = typed.find((line) => this.#isTooLong(line));
    if (long) return this.#tooLong(long, typed);
    if (!this.#session.isConnected) return NOT_SENT_DISCONNECTED;
    const misplaced = typed.map((line) => this.#misplaced(line)).find((reason) => reason);
    if (misplaced) return misplaced;
    const absent = this.#conversations.current.draft.recipients.list.filter(({ isHere }) => !isHere).map(({ name }) => name);
    const needsChosen = typed.some(isForChosen);
    if (!needsChosen || !absent.length) return '';
    return `Not sent: ${listed(absent)} ${absent.length > 1 ? 'are' : 'is'} not here. Choose other recipients, or everybody.`;
  }

  /** Why a message cannot go to its room, or may be meant for another one; otherwise empty. A password is not published either. */
  #misplaced({ kind, room, text }) {
    if (kind !== 'message') return '';
    if (looksLikeSecret(text, this.#session)) return LIKE_A_PASSWORD;
    if (room && !this.#session.hasRooms) return 'Not sent: this server has only one room.';
    if (room) return this.#session.roomNamed(room)?.isEntered ? '' : `Not sent: you are not in ${room}. To enter it, type /join ${room}`;
    const named = /^[#＃](\S+)\s/u.exec(text);
    const name = named && `#${named[1]}`;
    if (!this.#session.hasRooms || !name || !(this.#session.roomNamed(name) || this.#session.hasLeft(name))) return '';
    return `Not sent: ${name} is a room. To send it there, type /${name} and the text. To send it here, begin with a space.`;
  }

  #isTooLong(line) {
    const { bytes, max } = this.#length(line);
    return bytes > max;
  }

  #tooLong(line, typed) {
    const { bytes, max } = this.#length(line);
    const which = typed.length > 1 ? `line ${typed.indexOf(line) + 1}` : 'the message';
    const limit = `${max.toLocaleString()} bytes`;
    return `Not sent: ${which} has ${bytes.toLocaleString()} bytes; the limit is ${limit}. Shorten it, or send it in parts.`;
  }

  /** The length of a message, and its limit: the room in a line beside the command and the recipients. */
  #length({ kind, names, room, text = '' }) {
    if (kind !== 'message' && kind !== 'whisper') return { bytes: 0, max: LINE_BYTES_MAX };
    const to = names ?? (room ? [] : this.#conversations.current.draft.recipients.names);
    const format = to.length ? (words) => formatWhisper(to, words) : formatMessage;
    const overhead = byteLength(format(''));
    return { bytes: byteLength(format(text)) - overhead, max: LINE_BYTES_MAX - overhead };
  }

  #deliver({ kind, names, room: elsewhere, text, raw }, chosen, from) {
    const conversation = elsewhere ? this.#conversations.of(this.#session.roomNamed(elsewhere)) : from;
    const { room } = conversation;
    const isChosen = kind === 'message' && !elsewhere;
    const to = isChosen ? chosen.map(({ name }) => name) : names ?? [];
    const drop = conversation.addPending(to.length ? to : undefined, text, room.me);
    const answered = (reply) => {
      drop();
      if (!reply?.isOk) return this.#giveBack(raw, reply, isChosen ? chosen : [], from);
      if (to.length) conversation.whispered(reply.value.split(','), text, room.me);
      if (conversation !== from) from.note(`Sent to ${room.name}.`);
    };
    if (to.length) this.#session.whisper(to, text, answered);
    else this.#session.say(room, text, answered);
  }

  #giveBack(raw, reply, chosen, { draft, room }) {
    this.#composer.giveBack(draft, raw, reply ? `Not sent: ${refusal(reply)}` : UNCONFIRMED);
    // Chooses the recipients again, so that a whisper never becomes public.
    if (chosen.length) draft.recipients.choose(chosen, room);
  }
}

/** Whether a line is for the chosen recipients: it names neither recipients nor a room. */
function isForChosen({ kind, room }) {
  return kind === 'message' && !room;
}
