// A WebSocket to the server that reconnects by itself, and matches replies to requests.

import { parse } from './protocol.js';

/** Shortest and longest pause before reconnecting, in milliseconds. The server keeps a name for more than twice the longest. */
const RETRY_MS = [500, 15_000];

/** Longest wait for the server's reply, in milliseconds, after this machine slept or changed its network. */
const PROBE_MS = 5_000;

/** Limit for the greeting on a new connection, in milliseconds. If the network drops packets, a browser alone would wait for minutes. */
const CONNECT_MS = 10_000;

/** Close codes after which it does not reconnect: another window has the name now, or the user chose none in time. */
const FINAL_CODES = new Set(['resumed', 'name-timeout']);

export class Connection {
  #address;
  #on;
  #socket = null;
  #answers = [];
  #tries = 0;
  #retry = null;
  #isStopped = true;
  #closeReason = null;
  /** The timer that ends a silent connection: while it connects, and during a probe. Null if nothing is awaited. */
  #deadline = null;

  /**
   * `on.greeted(hello)`: connected. `on.line(line)`: a parsed line arrived. `on.closed({ retryMs, closeReason })`: not connected; the
   * next attempt follows after `retryMs`, or never if that is null. `closeReason` is the server's reason, if it gave one.
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

  /** Connects at once, and reconnects from now on whenever the connection breaks. */
  start() {
    this.#isStopped = false;
    this.#stopWaiting();
    if (this.#socket) return;
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#closeReason = null;
    this.#await(CONNECT_MS);
    socket.onmessage = ({ data }) => {
      // The replies to earlier lines come first: each arrival extends the wait.
      if (this.#deadline !== null) this.#await(PROBE_MS);
      data.split('\n').filter(Boolean).forEach((line) => this.#read(line));
    };
    socket.onclose = () => this.#closed();
  }

  /** Stops reconnecting. An open connection stays until the server closes it. */
  stop() {
    const isWaiting = this.#retry !== null;
    this.#isStopped = true;
    this.#stopWaiting();
    if (this.#socket?.readyState === WebSocket.CONNECTING) this.#socket.close();
    if (isWaiting) this.#on.closed({ retryMs: null, closeReason: null });
  }

  /** Sends a line. `answered` gets its final reply, or null if the connection broke before it came. */
  request(line, answered = () => {}) {
    if (!this.isOpen) return answered(null);
    this.#answers.push(answered);
    this.#socket.send(line);
  }

  /** Sends a line that gets no reply. */
  send(line) {
    if (this.isOpen) this.#socket.send(line);
  }

  #read(text) {
    const line = parse(text);
    if (!line) return;
    if (line.kind === 'hello') {
      this.#tries = 0;
      this.#stopAwaiting();
      this.#on.greeted(line);
    } else if (line.isCloseReason) {
      this.#closeReason = line;
    } else {
      // The session applies the reply first, so that the callback sees the changed room.
      this.#on.line(line);
      if (line.kind === 'ok' || line.kind === 'err') this.#answers.shift()?.(line);
    }
  }

  #closed() {
    const [closeReason, answers] = [this.#closeReason, this.#answers];
    this.#socket = null;
    this.#answers = [];
    this.#stopAwaiting();
    if (FINAL_CODES.has(closeReason?.code)) this.#isStopped = true;
    const retryMs = this.#isStopped ? null : this.#pause();
    if (retryMs !== null) this.#retry = setTimeout(() => this.start(), retryMs);
    this.#on.closed({ retryMs, closeReason });
    answers.forEach((answered) => answered(null));
  }

  #stopWaiting() {
    clearTimeout(this.#retry);
    this.#retry = null;
  }

  /** The pause before the next attempt. It doubles each time, and is random in part, so that clients do not all reconnect at once. */
  #pause() {
    const [shortest, longest] = RETRY_MS;
    return Math.min(shortest * 2 ** this.#tries++, longest) * (0.5 + Math.random() / 2);
  }

  /** Checks whether the connection still works. Otherwise the browser may notice its loss only after minutes. */
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
