// A WebSocket to the server that comes back by itself, and which reply belongs to which line. It does not know what lines mean.

import { parse } from './protocol.js';

/** The shortest and the longest pause between two tries, in milliseconds. A name is held for longer than twice the longest. */
const RETRY_MS = [500, 15_000];

/** How long the server may take for a sign of life, in milliseconds, after this machine slept or changed its network. */
const PROBE_MS = 5_000;

/** How long a connection may take until the server greets, in milliseconds. A network that drops packets would take minutes. */
const CONNECT_MS = 10_000;

/** After these it does not come back by itself: another window has the name now, or nobody is there to give one. */
const ENDS = new Set(['resumed', 'name-timeout']);

export class Connection {
  #address;
  #on;
  #socket = null;
  #answers = [];
  #tries = 0;
  #retry = null;
  #isStopped = true;
  #lastWord = null;
  /** The timer that ends a connection without a sign of life, or null if none is awaited. */
  #deadline = null;

  /**
   * `on.greeted(hello)`: it is there. `on.line(line)`: what came, parsed. `on.closed({ retryMs, lastWord })`: it is not there;
   * it is tried again after so many milliseconds, or not at all (null).
   */
  constructor(address, on) {
    this.#address = address;
    this.#on = on;
    addEventListener('online', () => this.#probe());
    document.addEventListener('visibilitychange', () => document.hidden || this.#probe());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connects, at once. From here on it comes back whenever it breaks. */
  start() {
    this.#isStopped = false;
    this.#stopWaiting();
    if (this.#socket) return;
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#lastWord = null;
    this.#await(CONNECT_MS);
    socket.onmessage = ({ data }) => {
      // The answer may have to wait for those to many lines.
      if (this.#deadline !== null) this.#await(PROBE_MS);
      data.split('\n').filter(Boolean).forEach((line) => this.#read(line));
    };
    socket.onclose = () => this.#closed();
  }

  /** Does not come back any more. A connection that is there stays until the server has closed it. */
  stop() {
    const isWaiting = this.#retry !== null;
    this.#isStopped = true;
    this.#stopWaiting();
    if (this.#socket?.readyState === WebSocket.CONNECTING) this.#socket.close();
    if (isWaiting) this.#on.closed({ retryMs: null, lastWord: null });
  }

  /** Sends a line. `answered` gets its final reply, or null if the connection broke before it came. */
  request(line, answered = () => {}) {
    if (!this.isOpen) return answered(null);
    this.#answers.push(answered);
    this.#socket.send(line);
  }

  /** Sends a line that gets no reply. */
  tell(line) {
    if (this.isOpen) this.#socket.send(line);
  }

  #read(text) {
    const line = parse(text);
    if (!line) return;
    if (line.kind === 'hello') {
      this.#tries = 0;
      this.#stopAwaiting();
      this.#on.greeted(line);
    } else if (line.isLastWord) {
      this.#lastWord = line;
    } else {
      // First what came before the answer, then the answer: both see what the line has changed.
      this.#on.line(line);
      if (line.kind === 'ok' || line.kind === 'err') this.#answers.shift()?.(line);
    }
  }

  #closed() {
    const [lastWord, answers] = [this.#lastWord, this.#answers];
    this.#socket = null;
    this.#answers = [];
    this.#stopAwaiting();
    if (ENDS.has(lastWord?.code)) this.#isStopped = true;
    const retryMs = this.#isStopped ? null : this.#pause();
    if (retryMs !== null) this.#retry = setTimeout(() => this.start(), retryMs);
    this.#on.closed({ retryMs, lastWord });
    answers.forEach((answered) => answered(null));
  }

  #stopWaiting() {
    clearTimeout(this.#retry);
    this.#retry = null;
  }

  /** Twice as long after each try, and somewhat at random: those whom a server has lost do not all come back at once. */
  #pause() {
    const [shortest, longest] = RETRY_MS;
    return Math.min(shortest * 2 ** this.#tries++, longest) * (0.5 + Math.random() / 2);
  }

  /** Finds out whether the connection is still there, which nothing else may tell for minutes. */
  #probe() {
    if (this.#retry !== null) return this.start();
    if (!this.isOpen) return;
    this.#await(PROBE_MS);
    this.request('PING', () => this.#stopAwaiting());
  }

  #await(ms) {
    const socket = this.#socket;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      socket.onclose = null;
      socket.close();
      this.#closed();
    }, ms);
  }

  #stopAwaiting() {
    clearTimeout(this.#deadline);
    this.#deadline = null;
  }
}
