// The bitmap of the canvas. Paints strokes in the order of arrival, a limited number in each frame.

import { oncePerFrame } from './frames.js';

/** Largest coordinate in a `DRAW`. */
export const COORDINATE_MAX = 9999;

/** The colour of the paper and of the eraser. In dark mode, the style sheet inverts the whole bitmap. */
export const PAPER_COLOUR = '#ffffff';

/** Most strokes painted in one frame. The browser records them first, and rasterizes them at the end of the frame. */
const STROKES_A_FRAME_MAX = 128;

export class Paper {
  #context;
  #scale;
  /** Strokes to paint in the next frames. */
  #waiting = [];
  #request = oncePerFrame(() => this.#paintWaiting());

  constructor(canvas) {
    this.#context = canvas.getContext('2d');
    this.#scale = canvas.width / COORDINATE_MAX;
    this.clear();
  }

  clear() {
    const { canvas } = this.#context;
    this.#waiting = [];
    this.#context.fillStyle = PAPER_COLOUR;
    this.#context.fillRect(0, 0, canvas.width, canvas.height);
  }

  /** Queues strokes behind the waiting ones. */
  add(strokes) {
    // One by one: `push(...strokes)` has a limit on arguments.
    for (const stroke of strokes) this.#waiting.push(stroke);
    this.#request();
  }

  /** Paints a stroke at once. */
  paint({ colour, width, points }) {
    const context = this.#context;
    Object.assign(context, { strokeStyle: colour, lineWidth: width * this.#scale, lineCap: 'round', lineJoin: 'round' });
    context.beginPath();
    // Starts beside the first point: browsers do not paint a line without length, and a single point is a dot.
    context.moveTo(points[0].x * this.#scale + 0.01, points[0].y * this.#scale);
    for (const { x, y } of points) context.lineTo(x * this.#scale, y * this.#scale);
    context.stroke();
  }

  #paintWaiting() {
    const count = document.hidden ? this.#waiting.length : STROKES_A_FRAME_MAX;
    this.#waiting.splice(0, count).forEach((stroke) => this.paint(stroke));
    return this.#waiting.length > 0;
  }
}
