// Carries out typed lines: sends messages and whispers, shows them as pending until the server acknowledges them, and gives refused
// text back. Either all lines are sent or none.

import { LINE_BYTES_MAX, byteLength, formatMessage, formatWhisper } from './protocol.js';
import { readLine } from './typed.js';
import { NOT_CONNECTED, listed, refusal } from './wording.js';

const UNCONFIRMED = 'The connection broke before the server confirmed this. Check whether it arrived before you send it again.';
const ONE_AT_A_TIME = 'Send a command on a line of its own, with nothing else.';

export class Sending {
  #session;
  #log;
  #recipients;
  #composer;
  #commands;

  /**
   * `commands` are functions by the kind of command. They get the result of `readLine`, and may return the reason why they refuse
   * it.
   */
  constructor({ session, log, recipients, composer, commands }) {
    this.#session = session;
    this.#log = log;
    this.#recipients = recipients;
    this.#composer = composer;
    this.#commands = commands;
  }

  /** Sends lines. Returns why they cannot be sent, or an empty string. */
  send(lines) {
    // The views follow the room once a frame. Another member may have taken a chosen name since.
    this.#recipients.follow(this.#session.room);
    const typed = lines.map((line) => ({ ...readLine(line), raw: line }));
    const isCommand = ({ kind }) => kind in this.#commands;
    const reason = this.#objection(typed, isCommand);
    if (reason) return reason;
    if (isCommand(typed[0])) return this.#commands[typed[0].kind](typed[0]) ?? '';
    const { chosen } = this.#recipients;
    typed.forEach((line) => this.#deliver(line, chosen));
    // Lines that name their recipients do not use up the choice.
    if (typed.some(({ kind }) => kind === 'message')) this.#recipients.clear();
    return '';
  }

  /** `{ bytes, max }` of the line that is closest to its limit, or furthest beyond it. */
  measure(lines) {
    const lengths = lines.map((line) => this.#length(readLine(line)));
    return lengths.reduce((longest, each) => (each.max - each.bytes < longest.max - longest.bytes ? each : longest), {
      bytes: 0, max: LINE_BYTES_MAX,
    });
  }

  #objection(typed, isCommand) {
    const wrong = typed.find(({ kind }) => kind === 'wrong');
    if (wrong) return wrong.hint;
    if (typed.length > 1 && typed.some(isCommand)) return ONE_AT_A_TIME;
    if (isCommand(typed[0])) return '';
    const long = typed.find((line) => this.#isTooLong(line));
    if (long) return this.#tooLong(long, typed);
    if (!this.#session.isConnected) return NOT_CONNECTED;
    const absent = this.#recipients.list.filter(({ isHere }) => !isHere).map(({ name }) => name);
    const needsChosen = typed.some(({ kind }) => kind === 'message');
    if (!needsChosen || !absent.length) return '';
    return `Not sent: ${listed(absent)} ${absent.length > 1 ? 'are' : 'is'} not here. Choose somebody else, or everybody.`;
  }

  #isTooLong(line) {
    const { bytes, max } = this.#length(line);
    return bytes > max;
  }

  #tooLong(line, typed) {
    const { bytes, max } = this.#length(line);
    const which = typed.length > 1 ? `line ${typed.indexOf(line) + 1}` : 'the message';
    const limit = `${max.toLocaleString()} bytes`;
    return `Not sent: ${which} is ${bytes.toLocaleString()} bytes long; the limit is ${limit}. Shorten it, or send it in parts.`;
  }

  /** The bytes of a message, and the most that fit into a line with its command and recipients. */
  #length({ kind, names, text = '' }) {
    if (kind !== 'message' && kind !== 'whisper') return { bytes: 0, max: LINE_BYTES_MAX };
    const to = names ?? this.#recipients.names;
    const format = to.length ? (words) => formatWhisper(to, words) : formatMessage;
    const overhead = byteLength(format(''));
    return { bytes: byteLength(format(text)) - overhead, max: LINE_BYTES_MAX - overhead };
  }

  #deliver({ kind, names, text, raw }, chosen) {
    const { room } = this.#session;
    const isChosen = kind === 'message';
    const to = isChosen ? chosen.map(({ name }) => name) : names;
    const drop = this.#log.addPending(to.length ? to : undefined, text, room.me);
    const answered = (reply) => {
      drop();
      if (!reply?.isOk) return this.#giveBack(raw, reply, isChosen ? chosen : []);
      if (to.length) this.#log.whispered(reply.value.split(','), text, room.me);
    };
    if (to.length) this.#session.whisper(to, text, answered);
    else this.#session.say(text, answered);
  }

  #giveBack(raw, reply, chosen) {
    this.#composer.giveBack(raw, reply ? `Not sent: ${refusal(reply)}` : UNCONFIRMED);
    // The recipients are chosen for later text, too: a whisper never becomes public.
    if (chosen.length) this.#recipients.choose(chosen, this.#session.room);
  }
}
