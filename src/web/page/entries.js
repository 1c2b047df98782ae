// The entries of the log: creates them from lines of the server, their elements, and their plain text for copying.

import { dateAndTime, momentOf, timeOfDay, wholeDuration } from './dates.js';
import { REMOVALS } from './protocol.js';
import { element, mentions, nameNode, nameNodes, textNodes } from './text.js';
import { departure, notice } from './wording.js';

/** The entry for a line of the server. `order` is the last id before it, for lines without an id. */
export function entryOf(line, room, order) {
  const at = line.time ? new Date(line.time) : new Date();
  const entry = { kind: line.kind, order: line.id ?? order, at };
  if (line.kind === 'whisper') return { ...entry, ...spoken(line, room), to: ['you'] };
  if (line.kind === 'msg' || line.kind === 'past') return { ...entry, ...spoken(line, room) };
  const { me } = room;
  return { ...entry, what: () => EVENTS[line.kind](line, me, at) };
}

/** The entry for a whisper that the user sent, or for a pending message. */
export function ownEntry({ to, text, me, order }) {
  return { kind: to ? 'whisper' : 'msg', order, at: new Date(), author: me, isOwn: true, to, text, me };
}

export function noteEntry(text, order, isBoundary) {
  return { kind: 'note', order, at: new Date(), what: () => [text], isBoundary };
}

function spoken(line, room) {
  const { me } = room;
  const isOwn = room.isOwn(line);
  // A past message without a text was deleted.
  const isDeleted = line.text === '';
  return { author: line.name, isOwn, text: line.text, me, isMention: !isOwn && mentions(line.text, me), isDeleted, deletedBy: null };
}

const EVENTS = {
  join: ({ name }, me) => (name === me ? ['You joined'] : [nameNode(name), ' joined']),
  leave: ({ name, reason, text }, me) => {
    if (REMOVALS.has(reason)) return [nameNode(name), ` ${departure(reason)}`, ...removalNodes(text, me)];
    return [nameNode(name), ` ${departure(reason)}`, ...(text ? [': ', element('bdi', {}, text)] : [])];
  },
  rename: ({ name, to }, me) => [...(to === me ? ['You are'] : [nameNode(name), ' is']), ' now ', nameNode(to)],
  coordinator: ({ name }, me) => [...(name === me ? ['You are'] : [nameNode(name), ' is']), ' now the coordinator'],
  topic: ({ name, text }, me) => [
    ...(name === me ? ['You'] : [nameNode(name)]),
    ...(text ? [' set the topic: ', element('bdi', {}, text)] : [' cleared the topic']),
  ],
  clear: ({ name }, me) => [...(name === me ? ['You'] : [nameNode(name)]), ' cleared the canvas'],
  mute: (line, me, at) => {
    const isMe = line.target === me;
    return [...moderatorNodes(line.by, me), isMe ? ' has muted ' : ' muted ', isMe ? 'you' : targetNode(line.target), ...termsNodes(line, at)];
  },
  ban: (line, me, at) => [...moderatorNodes(line.by, me), ' banned ', targetNode(line.target), ...termsNodes(line, at)],
  lifted: ({ of, by, target }, me) => [
    ...moderatorNodes(by, me),
    ...(of === 'ban'
      ? [' lifted the ban of ', targetNode(target)]
      : [target === me ? ' lets you speak again' : ' let ', ...(target === me ? [] : [targetNode(target), ' speak again'])]),
  ],
  moderator: ({ by, name, isModerator }, me) => [
    ...moderatorNodes(by, me),
    ...(isModerator
      ? [' made ', name === me ? 'you' : nameNode(name), ' a moderator']
      : name === me ? [' took back your moderator rank'] : [' removed ', nameNode(name), ' as a moderator']),
  ],
  lock: ({ by, lock }, me) => [...moderatorNodes(by, me), ` ${LOCKS[lock] ?? 'locked the room'}`],
  invite: ({ by, name, isInvited, room }, me) => [
    ...moderatorNodes(by, me),
    ...(isInvited ? [' invited ', ...(name === me ? ['you'] : [nameNode(name)])] : [' took the invitation of ', nameNode(name), ' back']),
    // Also into a room that the page does not show.
    ...(isInvited && room ? [` into ${room}`] : []),
  ],
  notice: ({ text }) => [element('bdi', {}, notice(text))],
};

/** What each lock does. */
const LOCKS = {
  open: 'opened the room to everybody',
  accounts: 'locked the room: only accounts may enter',
  invited: 'locked the room: only the invited may enter',
};
/** Who has removed a member, and why: `by ann: flooding`, as the server writes it. */
function removalNodes(text, me) {
  const isByMe = text === `by ${me}` || text.startsWith(`by ${me}: `);
  return text ? [' ', element('bdi', {}, isByMe ? `by you${text.slice(`by ${me}`.length)}` : text)] : [];
}

/** A moderator, at the start of a sentence. `-` is the operator of the server, who has no nickname. */
function moderatorNodes(by, me) {
  if (by === '-') return ['The operator'];
  return by === me ? ['You'] : [nameNode(by)];
}

/** For how long a ban or a mute lasts that has begun at this time, and why. */
function termsNodes({ until, text }, at) {
  const end = until && new Date(until);
  return [
    ...(end ? [' ', element('span', { title: dateAndTime(end) }, termOf(end, at))] : []),
    ...(text ? [': ', element('bdi', {}, text)] : []),
  ];
}

/** A moderator has chosen a round number, which the server counts from the time of the event. */
function termOf(end, at) {
  const seconds = Math.round((end - at) / 1000);
  const isRound = seconds > 0 && seconds % 60 === 0;
  return isRound ? `for ${wholeDuration(seconds)}` : `until ${momentOf(end, at)}`;
}

function targetNode(target) {
  if (target === '-') return 'an address';
  return target.startsWith('@') ? element('span', {}, 'the connection of ', nameNode(target.slice(1))) : nameNode(target);
}

/** The element that shows an entry. */
export function nodeOf(entry) {
  if (entry.kind === 'note') return element('p', { className: 'note' }, ...entry.what());
  if (!entry.author) {
    return element('p', { className: 'event' }, clock(entry.at), element('span', { className: 'said' }, ...entry.what()));
  }
  const said = entry.isDeleted
    ? element('span', { className: 'said deleted' }, ...deletionNodes(entry))
    : element('span', { className: 'said', dir: 'auto' }, ...textNodes(entry.text, entry.me));
  const to = entry.to ? [element('span', { className: 'to' }, ' whispers to ', ...recipients(entry))] : [];
  return element(
    'p',
    { className: classesOf(entry) },
    clock(entry.at),
    element('span', { className: 'who' }, nameNode(entry.author)),
    element('span', { className: 'words' }, ...to, said),
  );
}

/** What stands for a deleted text. */
function deletionNodes({ author, deletedBy, me }) {
  // `-` is the operator of the server, or a moderator whom nobody knows any more.
  if ([null, '-', author].includes(deletedBy)) return ['Message deleted'];
  return ['Message deleted by ', deletedBy === me ? 'you' : nameNode(deletedBy)];
}

function recipients({ to, isOwn }) {
  return isOwn ? nameNodes(to) : to;
}

function classesOf({ kind, isOwn, isMention, isPending }) {
  const classes = [kind === 'past' ? 'msg past' : kind, isOwn && 'own', isMention && 'mention', isPending && 'pending'];
  return classes.filter(Boolean).join(' ');
}

function clock(at) {
  return element('time', { dateTime: at.toISOString(), title: dateAndTime(at) }, timeOfDay(at));
}

/** The entry as one line of plain text; `said` is the selected part of its text. */
export function plainLine(entry, said) {
  const whispered = entry.to ? ` (whisper to ${entry.to.join(', ')})` : '';
  if (entry.kind === 'note') return said;
  return `${timeOfDay(entry.at)} ${entry.author ? `${entry.author}${whispered}: ` : ''}${said}`;
}
