// Work that is done once a frame, however often it is asked for, and in slices that leave the browser time to answer keys.

/** Longest slice of work in one frame, in milliseconds. The layout of what it changed comes on top and stays below 50 in all. */
const SLICE_MS = 4;

/** How long to wait for a frame, in milliseconds: a tab in the background gets none. */
const FRAME_MS_MAX = 250;

/** Returns a function that asks for `job` to run in the next frame. If `job` returns true it runs again in the one after. */
export function eachFrame(job) {
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

/** Returns a function that says whether a slice of work that begins now has taken its time. Nobody waits for a hidden tab. */
export function slice() {
  const end = performance.now() + SLICE_MS;
  return () => !document.hidden && performance.now() >= end;
}
