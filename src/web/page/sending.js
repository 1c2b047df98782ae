// Carries out typed lines: sends messages and whispers, shows them as pending until the server acknowledges them, and puts refused text
// back into the box. It sends either all lines or none.

import { LINE_BYTES_MAX, byteLength, formatMessage, formatWhisper } from './protocol.js';
import { readLine } from './typed.js';
import { NOT_SENT_DISCONNECTED, listed, refusal } from './wording.js';

const UNCONFIRMED = 'The connection was lost before the server confirmed this. Check whether it was sent before you send it again.';
const ONE_AT_A_TIME = 'Not sent: a command must be the only line.';

export class Sending {
  #session;
  #log;
  #recipients;
  #composer;
  #commands;

  /**
   * `commands` has a function for each kind of command. It gets the result of `readLine`, and may return the reason why it refuses it.
   */
  constructor({ session, log, recipients, composer, commands }) {
    this.#session = session;
    this.#log = log;
    this.#recipients = recipients;
    this.#composer = composer;
    this.#commands = commands;
  }

  /** Sends lines. Returns the reason why they cannot be sent, or an empty string. */
  send(lines) {
    // The views are updated once a frame: another member may have taken a chosen name since.
    this.#recipients.follow(this.#session.room);
    const typed = lines.map((line) => ({ ...readLine(line), raw: line }));
    const isCommand = ({ kind }) => kind in this.#commands;
    const reason = this.#problem(typed, isCommand);
    if (reason) return reason;
    if (isCommand(typed[0])) return this.#commands[typed[0].kind](typed[0]) ?? '';
    const { chosen } = this.#recipients;
    typed.forEach((line) => this.#deliver(line, chosen));
    // The choice stays if all lines name their recipients.
    if (typed.some(({ kind }) => kind === 'message')) this.#recipients.clear();
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
    const absent = this.#recipients.list.filter(({ isHere }) => !isHere).map(({ name }) => name);
    const needsChosen = typed.some(({ kind }) => kind === 'message');
    if (!needsChosen || !absent.length) return '';
    return `Not sent: ${listed(absent)} ${absent.length > 1 ? 'are' : 'is'} not here. Choose other recipients, or everybody.`;
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
    // Chooses the recipients again, so that a whisper never becomes public.
    if (chosen.length) this.#recipients.choose(chosen, this.#session.room);
  }
}
