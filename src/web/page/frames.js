// Runs work at most once a frame, however often it is requested, and in slices that keep the page responsive.

/** Longest slice of work in one frame, in milliseconds. Together with the layout after it, the frame stays below 50 ms. */
const SLICE_MS = 4;

/** Longest wait for a frame, in milliseconds: a hidden tab gets no frames. */
const FRAME_MS_MAX = 250;

/** Returns a function that requests `job` for the next frame. If `job` returns true, it runs again in the frame after that. */
export function oncePerFrame(job) {
  let frame = null;
  let timer = null;
  const ask = () => {
    if (frame !== null) return;
    frame = requestAnimationFrame(run);
    timer = setTimeout(run, FRAME_MS_MAX);
  };
  const run = () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = null;
    if (job()) ask();
  };
  return ask;
}

/** Begins a slice of work. Returns a function that reports whether its time is over; in a hidden tab, it never is. */
export function slice() {
  const end = performance.now() + SLICE_MS;
  return () => !document.hidden && performance.now() >= end;
}
