// A WebSocket to the server. It reconnects automatically, detects dead connections, and matches replies to requests.

import { parse } from './protocol.js';

/** Shortest and longest delay before reconnecting, in milliseconds. The server keeps a name for longer: 60 s by default. */
const RETRY_MS = [500, 15_000];

/** Longest wait for a sign of life, in milliseconds, after this machine slept or changed its network. */
const PROBE_MS = 5_000;

/** Longest wait for the greeting on a new connection, in milliseconds. A browser would wait for minutes if the network drops packets. */
const CONNECT_MS = 10_000;

/**
 * Close codes after which the page does not reconnect: another window has the session or the account, the account was deleted, an
 * operator has removed or banned the user, or the user chose no name in time.
 */
const FINAL_CODES = new Set(['banned', 'kicked', 'login-required', 'resumed', 'taken-over', 'name-timeout']);

export class Connection {
  #address;
  #on;
  #socket = null;
  #answers = [];
  #tries = 0;
  #retry = null;
  #isStopped = true;
  #closeReason = null;
  /** The timer that closes a silent connection, while it connects and during a probe; otherwise null. */
  #deadline = null;

  /**
   * Callbacks:
   * - `on.greeted(hello)`: connected.
   * - `on.line(line)`: a parsed line arrived.
   * - `on.closed({ retryMs, closeReason })`: disconnected. The next attempt follows after `retryMs`; null: none follows.
   *   `closeReason` is the server's reason, or null.
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

  /** Connects now, and from now on reconnects whenever the connection is lost. */
  start() {
    this.#isStopped = false;
    this.#cancelRetry();
    if (this.#socket) return;
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    this.#closeReason = null;
    this.#setDeadline(CONNECT_MS);
    socket.onmessage = ({ data }) => {
      // Replies to earlier lines may come first: each arrival is a sign of life.
      if (this.#deadline !== null) this.#setDeadline(PROBE_MS);
      data.split('\n').filter(Boolean).forEach((line) => this.#receive(line));
    };
    socket.onclose = () => this.#closed();
  }

  /** Stops reconnecting. An open connection stays open until the server closes it. */
  stop() {
    const isRetrying = this.#retry !== null;
    this.#isStopped = true;
    this.#cancelRetry();
    if (this.#socket?.readyState === WebSocket.CONNECTING) this.#socket.close();
    if (isRetrying) this.#on.closed({ retryMs: null, closeReason: null });
  }

  /** Sends a line. `answered` gets its final reply, or null if the connection is lost before the reply arrives. */
  request(line, answered = () => {}) {
    if (!this.isOpen) return answered(null);
    this.#answers.push(answered);
    this.#socket.send(line);
  }

  /** Sends a line that gets no reply. */
  send(line) {
    if (this.isOpen) this.#socket.send(line);
  }

  #receive(text) {
    const line = parse(text);
    if (!line) return;
    if (line.kind === 'hello') {
      this.#tries = 0;
      this.#clearDeadline();
      this.#on.greeted(line);
    } else if (line.isCloseReason) {
      this.#closeReason = line;
    } else {
      // The session applies the reply first, so that the callback sees the updated room.
      this.#on.line(line);
      if (line.kind === 'ok' || line.kind === 'err') this.#answers.shift()?.(line);
    }
  }

  #closed() {
    const [closeReason, answers] = [this.#closeReason, this.#answers];
    this.#socket = null;
    this.#answers = [];
    this.#clearDeadline();
    if (FINAL_CODES.has(closeReason?.code)) this.#isStopped = true;
    const retryMs = this.#isStopped ? null : this.#nextDelay();
    if (retryMs !== null) this.#retry = setTimeout(() => this.start(), retryMs);
    this.#on.closed({ retryMs, closeReason });
    answers.forEach((answered) => answered(null));
  }

  #cancelRetry() {
    clearTimeout(this.#retry);
    this.#retry = null;
  }

  /** The delay before the next attempt. It doubles each time, and is partly random, so that clients do not all reconnect at once. */
  #nextDelay() {
    const [shortest, longest] = RETRY_MS;
    return Math.min(shortest * 2 ** this.#tries++, longest) * (0.5 + Math.random() / 2);
  }

  /** Checks whether the connection still works: the browser alone may notice its loss only after minutes. */
  #probe() {
    if (this.#retry !== null) return this.start();
    if (!this.isOpen) return;
    this.#setDeadline(PROBE_MS);
    this.request('PING', () => this.#clearDeadline());
  }

  #setDeadline(ms) {
    const socket = this.#socket;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      socket.onclose = null;
      socket.close();
      this.#closed();
    }, ms);
  }

  #clearDeadline() {
    clearTimeout(this.#deadline);
    this.#deadline = null;
  }
}
