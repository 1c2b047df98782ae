// The sheet that strokes are painted on, in the order in which they come, a slice at a time.

import { eachFrame } from './frames.js';

/** Coordinates go from 0 to this, as in `DRAW`. */
export const COORDINATE_MAX = 9999;

/** The colour of a clean sheet, and of the eraser. The style sheet turns light and dark round where the page is dark. */
export const PAPER_COLOUR = '#ffffff';

/** Strokes painted in one frame. Painting only notes what to do; the browser does it at the end of the frame. */
const STROKES_A_FRAME_MAX = 128;

export class Paper {
  #context;
  #scale;
  /** What is to be painted with the next frames. */
  #waiting = [];
  #ask = eachFrame(() => this.#work());

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

  /** Paints strokes in their turn. */
  add(strokes) {
    // One by one: a call takes only so many arguments.
    for (const stroke of strokes) this.#waiting.push(stroke);
    this.#ask();
  }

  /** Paints a stroke at once. */
  paint({ colour, width, points }) {
    const context = this.#context;
    Object.assign(context, { strokeStyle: colour, lineWidth: width * this.#scale, lineCap: 'round', lineJoin: 'round' });
    context.beginPath();
    // A line to where it begins makes a dot of a single point.
    for (const { x, y } of [points[0], ...points]) context.lineTo(x * this.#scale, y * this.#scale);
    context.stroke();
  }

  #work() {
    const count = document.hidden ? this.#waiting.length : STROKES_A_FRAME_MAX;
    this.#waiting.splice(0, count).forEach((stroke) => this.paint(stroke));
    return this.#waiting.length > 0;
  }
}
