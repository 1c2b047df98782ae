// The ranks of members in a room, and what the page offers to each. The server decides: it checks the rank again for each command. Pure: no
// document.

/** From the lowest to the highest. Most members have none. */
const RANKS = ['', 'moderator', 'owner', 'operator'];

/** Whether a member of this rank may moderate the room. */
export function moderates(rank) {
  return rank !== '';
}

/** Whether a member of this rank may appoint moderators of the room. */
export function appoints(rank) {
  return RANKS.indexOf(rank) >= RANKS.indexOf('owner');
}

/** Whether a member of this rank may moderate the whole server. */
export function isOperator(rank) {
  return rank === 'operator';
}

/**
 * The actions of a member of the rank `own` against one of the rank `target`, in the order of the menu. `isHere`: the other member is in the
 * room now; the menu at a message may be about one that has left.
 */
export function actionsFor(own, target, isHere) {
  const [level, other] = [RANKS.indexOf(own), RANKS.indexOf(target)];
  const isAbove = moderates(own) && level > other;
  const isOffered = {
    whisper: isHere,
    mute: isAbove,
    kick: isHere && (isAbove || isOperator(own)),
    ban: isAbove,
    'ban-connection': isAbove && isHere,
    appoint: appoints(own) && isHere && target === '',
    dismiss: appoints(own) && target === 'moderator',
  };
  return Object.keys(isOffered).filter((action) => isOffered[action]);
}
