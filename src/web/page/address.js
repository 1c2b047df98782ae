// The room in the address of the page, as in `/#ops`: a link to a room opens it, and back and forward go through the rooms that were shown.

import { LOBBY } from './session.js';

/** The name of the room in the address; null if the address names none. */
export function roomInAddress() {
  if (location.hash.length < 2) return null;
  try {
    return decodeURIComponent(location.hash);
  } catch {
    return location.hash;
  }
}

/**
 * Shows a room in the address: in a new entry of the browser's history, or in the current one. An address without a room is that of the
 * lobby.
 */
export function showInAddress(name, isNewEntry) {
  const isThere = (roomInAddress() ?? LOBBY) === name;
  const url = isThere ? null : `#${encodeURIComponent(name.slice(1))}`;
  if (isNewEntry && !isThere) history.pushState({ wasShown: true }, '', url);
  else history.replaceState({ wasShown: true }, '', url);
}

/** Whether this entry of the browser's history has shown its room before. */
export function wasShown() {
  return history.state?.wasShown === true;
}
