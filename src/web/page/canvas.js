// The shared canvas. It sends the user's strokes in pieces while they are drawn, and paints all strokes in the order of the server.
// `Paper` has the bitmap.

import { COORDINATE_MAX, PAPER_COLOUR, Paper } from './paper.js';
import { element } from './text.js';

/** Time between two pieces of a stroke, in milliseconds: 8 pieces a second leave room for messages within the default rate limit of 10. */
const PIECE_MS = 125;

/** Most points in one piece; the protocol allows 400. */
const POINTS_MAX = 300;

/** Smallest distance between two points, in canvas units (0 to 9999). */
const STEP_MIN = 20;

/** Distance by which an arrow key moves the pen, in canvas units; `near` with Shift. */
const KEY_STEP = { far: 250, near: 50 };

const COLOURS = {
  ink: '#1c1917', red: '#dc2626', orange: '#ea580c', green: '#15803d', blue: '#1d4ed8', violet: '#7e22ce', eraser: PAPER_COLOUR,
};
const WIDTHS = { thin: 40, medium: 100, thick: 260 };

const byId = (id) => document.getElementById(id);

export class Canvas {
  #canvas = byId('canvas');
  #paper = new Paper(this.#canvas);
  #pen = byId('pen');
  #draw;
  #request;
  /** Whether the bitmap has what was drawn in the room, or will have it with the reply to a request. */
  #isLoaded = false;
  #replayed = [];
  /** The points of the next piece. After the first piece, they begin with the last point of the previous piece. */
  #points = [];
  #isFirstPiece = true;
  #timer = null;
  #isAnswered = true;
  #isConnected = false;
  #pointer = null;
  /** The position of the keyboard's pen, and whether it is down. */
  #at = { x: 5000, y: 5000 };
  #isDown = false;

  /** `draw(stroke, answered)` sends a piece; `clear()` clears the canvas for all members; `request()` requests all strokes. */
  constructor({ draw, clear, request }) {
    this.#draw = draw;
    this.#request = request;
    this.#addChoices('colours', 'colour', COLOURS, (input, colour) => input.style.setProperty('--colour', colour));
    this.#addChoices('widths', 'width', WIDTHS, (input, width) => input.style.setProperty('--width', width));
    byId('clear').addEventListener('click', clear);
    this.#canvas.addEventListener('pointerdown', (event) => this.#press(event));
    this.#canvas.addEventListener('pointermove', (event) => this.#drag(event));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      this.#canvas.addEventListener(end, (event) => event.pointerId === this.#pointer && this.stop());
    }
    this.#canvas.addEventListener('keydown', (event) => this.#key(event));
    this.#canvas.addEventListener('focus', () => this.#showPen());
    this.#canvas.addEventListener('blur', () => {
      if (this.#isDown) this.stop();
      this.#showPen();
    });
    addEventListener('blur', () => this.stop());
    document.addEventListener('visibilitychange', () => this.stop());
    this.isConnected = false;
  }

  /** Enables drawing only while connected. */
  set isConnected(isConnected) {
    this.#isConnected = isConnected;
    if (!isConnected) this.stop();
    byId('drawing').classList.toggle('stale', !isConnected);
    byId('clear').disabled = !isConnected;
    this.#load();
  }

  get isShown() {
    return !byId('drawing').hidden;
  }

  set isShown(isShown) {
    if (!isShown) this.stop();
    byId('drawing').hidden = !isShown;
    byId('show-canvas').setAttribute('aria-expanded', isShown);
    this.#load();
  }

  /** Shows the canvas of another room, or of the same room on another connection. */
  open() {
    this.stop();
    this.wipe();
    this.reload();
  }

  /** Requests all strokes again: now, or when the canvas is shown. */
  reload() {
    this.forgetReplayed();
    this.#isLoaded = false;
    this.#load();
  }

  /** Ends the stroke that is being drawn, if any. */
  stop() {
    this.#pointer = null;
    this.#isDown = false;
    if (this.#isDrawing) this.#end();
    this.#showPen();
  }

  /** Collects a stroke of the reply to CANVAS. */
  replay(stroke) {
    this.#replayed.push(stroke);
  }

  /** Ends the reply to CANVAS: replaces the current strokes by the collected ones. */
  replayed() {
    this.wipe();
    this.#paper.add(this.#replayed.splice(0));
  }

  /** Drops an incomplete reply to CANVAS. */
  forgetReplayed() {
    this.#replayed = [];
  }

  wipe() {
    this.#paper.clear();
  }

  /** Paints a stroke of a member. Before all strokes are requested, none is needed. */
  paint(stroke) {
    if (this.#isLoaded) this.#paper.add([stroke]);
  }

  #load() {
    if (this.#isLoaded || !this.isShown || !this.#isConnected) return;
    this.#isLoaded = true;
    this.#request();
  }

  get #isDrawing() {
    return this.#timer !== null;
  }

  #press(event) {
    if (this.#isDrawing || event.button !== 0 || !this.#isConnected) return;
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#pointOf(event));
  }

  #drag(event) {
    if (event.pointerId !== this.#pointer) return;
    // The page has missed the release of the button.
    if (event.buttons === 0) return this.stop();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.#move(this.#pointOf(each));
  }

  #key(event) {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (event.key === ' ') {
      if (this.#isDown) this.stop();
      else if (this.#isConnected && !this.#isDrawing) this.#lowerPen();
    } else if (x || y) {
      const step = event.shiftKey ? KEY_STEP.near : KEY_STEP.far;
      this.#at = { x: bounded(this.#at.x + x * step), y: bounded(this.#at.y + y * step) };
      if (this.#isDown) this.#move(this.#at);
    } else {
      return;
    }
    event.preventDefault();
    this.#showPen();
  }

  #lowerPen() {
    this.#isDown = true;
    this.#begin(this.#at);
  }

  #begin(point) {
    this.#points = [point];
    this.#isFirstPiece = true;
    this.#paper.paint(this.#stroke());
    this.#timer ??= setInterval(() => this.#isAnswered && this.#send(), PIECE_MS);
  }

  #move(point) {
    const last = this.#points.at(-1);
    if (Math.hypot(point.x - last.x, point.y - last.y) < STEP_MIN) return;
    this.#points.push(point);
    // Painted now, and again in the order of the room when the server sends it back.
    this.#paper.paint({ ...this.#stroke(), points: [last, point] });
    if (this.#points.length >= POINTS_MAX) this.#send();
  }

  #end() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#send();
    this.#points = [];
  }

  /** Sends a piece. The next piece begins where this one ends. */
  #send() {
    if (this.#points.length < (this.#isFirstPiece ? 1 : 2)) return;
    this.#isAnswered = false;
    this.#draw(this.#stroke(), () => (this.#isAnswered = true));
    this.#points = this.#points.slice(-1);
    this.#isFirstPiece = false;
  }

  #stroke() {
    const tools = new FormData(byId('tools'));
    return { colour: tools.get('colour'), width: Number(tools.get('width')), points: this.#points };
  }

  #pointOf({ clientX, clientY }) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return {
      x: bounded(((clientX - left) / width) * COORDINATE_MAX),
      y: bounded(((clientY - top) / height) * COORDINATE_MAX),
    };
  }

  #showPen() {
    this.#pen.hidden = !this.#canvas.matches(':focus-visible');
    this.#pen.classList.toggle('down', this.#isDown);
    this.#pen.style.left = `${this.#at.x / 100}%`;
    this.#pen.style.top = `${this.#at.y / 100}%`;
  }

  /** Adds radio buttons for a choice of tools; the first is checked. */
  #addChoices(id, name, choices, show) {
    for (const [label, value] of Object.entries(choices)) {
      const input = element('input', { type: 'radio', name, value });
      input.setAttribute('aria-label', label);
      input.title = label;
      input.className = label;
      show(input, value);
      byId(id).append(input);
    }
    byId(id).querySelector('input').checked = true;
  }
}

function bounded(coordinate) {
  return Math.round(Math.min(Math.max(coordinate, 0), COORDINATE_MAX));
}
