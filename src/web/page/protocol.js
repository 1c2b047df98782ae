// Parses and formats lines of chinwag/1, which protocol.md defines. Pure: no document.

import { splitText } from './hints.js';

/** Longest line that the server accepts, in bytes. */
export const LINE_BYTES_MAX = 4096;

/** The codes of an `ERR -` that is a reply. With any other code, it is the last line before the server closes the connection. */
const REPLY_CODES = new Set(['line-too-long', 'line-not-utf8', 'room-invalid', 'verb-missing', 'verb-unknown']);

/**
 * Parses a line from the server to `{ kind, room, … }`; null for an unknown line, which the caller ignores. `room` is the name of the room
 * that the line begins with; null for a line without one. A tagged event also has its `id` (null unless it is a message) and its `time`
 * (RFC 3339).
 */
export function parse(line) {
  const tag = /^@(\d+|-) (\S+) /.exec(line);
  const named = tag ? line.slice(tag[0].length) : line;
  const [room, bare] = named.startsWith('#') ? splitWord(named) : [null, named];
  const [word, rest] = splitWord(bare);
  const parsed = PARSERS[word]?.(rest) ?? null;
  if (!parsed) return null;
  parsed.room = room;
  return tag ? Object.assign(parsed, { id: tag[1] === '-' ? null : Number(tag[1]), time: tag[2] }) : parsed;
}

const PARSERS = {
  HELLO: (rest) => {
    const features = / features=(\S+)/.exec(rest)?.[1].split(',') ?? [];
    return {
      kind: 'hello',
      epoch: / epoch=(\S+)/.exec(rest)?.[1] ?? null,
      hasRooms: features.includes('rooms'),
      isSecure: features.includes('secure'),
      needsPassword: features.includes('password'),
      hasAccounts: features.includes('accounts'),
      isAccountsOnly: features.includes('accounts-only'),
    };
  },
  OK: (rest) => {
    const [verb, value] = splitWord(rest);
    return { kind: 'ok', isOk: true, verb, value, last: lastId(value) };
  },
  ERR: (rest) => {
    const [verb, code, text] = splitWords(rest, 2);
    return { kind: 'err', isOk: false, isCloseReason: verb === '-' && !REPLY_CODES.has(code), verb, code, ...splitText(text) };
  },
  USER: (rest) => {
    const [name, role, words] = splitWords(rest, 2);
    const details = parseDetails(words);
    // Only STATUS has more than the rank.
    return { kind: 'user', name, isCoordinator: role === 'coordinator', rank: details.rank ?? '', details: details.id ? details : null };
  },
  ROOM: (rest) => {
    const [, line, lock = 'open'] = /^(.*?)(?: lock=(open|accounts|invited))?$/su.exec(rest);
    const [name, count, mark, topic] = splitWords(line, 3);
    return { kind: 'room', name, count: Number(splitAt(count, '=')[1]), isIn: mark === 'in', topic, lock };
  },
  TOKEN: (rest) => {
    const [number, created, expires, used, label] = splitWords(rest, 4);
    const value = (word) => splitAt(word, '=')[1];
    const usedOn = value(used) === 'never' ? null : value(used);
    return { kind: 'token', number: Number(number), createdAt: value(created), expiresAt: value(expires), usedOn, label };
  },
  SANCTION: (rest) => {
    const [number, of, target, by, , ends, text] = splitWords(rest, 6);
    return { kind: 'sanction', number: Number(number), of, target, by: splitAt(by, '=')[1], until: endOf(ends), text };
  },
  PAST: (rest) => {
    const [id, time, name, text] = splitWords(rest, 3);
    return { kind: 'past', id: Number(id), time, name, text };
  },
  DELETE: (rest) => {
    const [by, id] = splitWord(rest);
    return { kind: 'delete', by, deleted: Number(id) };
  },
  STROKE: (rest) => ({ ...drawn(rest), kind: 'stroke' }),
  DRAW: (rest) => drawn(rest),
  JOIN: (name) => ({ kind: 'join', name }),
  LEAVE: (rest) => {
    const [name, reason, text] = splitWords(rest, 2);
    return { kind: 'leave', name, reason, text };
  },
  RENAME: (rest) => {
    const [name, to] = splitWord(rest);
    return { kind: 'rename', name, to };
  },
  MSG: (rest) => said('msg', rest),
  WHISPER: (rest) => said('whisper', rest),
  TOPIC: (rest) => said('topic', rest),
  MUTE: (rest) => sanction('mute', rest),
  BAN: (rest) => sanction('ban', rest),
  UNMUTE: (rest) => lifted('mute', rest),
  UNBAN: (rest) => lifted('ban', rest),
  MODERATOR: (rest) => {
    const [by, name, value] = splitWords(rest, 2);
    return { kind: 'moderator', by, name, isModerator: value === 'on' };
  },
  LOCK: (rest) => {
    const [by, lock] = splitWord(rest);
    return { kind: 'lock', by, lock };
  },
  INVITE: (rest) => {
    const [by, name, value] = splitWords(rest, 2);
    return { kind: 'invite', by, name, isInvited: value === 'on' };
  },
  ROSTER: (count) => ({ kind: 'roster', count: Number(count) }),
  COORDINATOR: (name) => ({ kind: 'coordinator', name }),
  NOTICE: (text) => ({ kind: 'notice', text }),
  PING: (token) => ({ kind: 'ping', token }),
};

/** The id of the newest message, in a reply to HISTORY or SINCE. */
function lastId(value) {
  const last = /^\d+ last=(\d+)/.exec(value);
  return last ? Number(last[1]) : null;
}

/** The rooms in a reply to NICK or JOIN, as `{ name, epoch }`. A reply to NICK begins with the nickname, and may name no room. */
export function enteredRooms(value) {
  return [...value.matchAll(/(?<!\S)(#\S+) epoch=(\S+) last=\d+/g)].map(([, name, epoch]) => ({ name, epoch }));
}

/** The room after which a list of rooms goes on, in a reply to ROOMS; null at its end. */
export function nextRoom(value) {
  return /^\d+ next=(\S+)/.exec(value)?.[1] ?? null;
}

/** The number after which a list of bans goes on, in a reply to BANS; null at its end. */
export function nextBan(value) {
  const next = /^\d+ next=(\d+)/.exec(value);
  return next ? Number(next[1]) : null;
}

/** Whether a reply says that the change is not stored yet. */
export function isUnstored(value) {
  return / stored=no$/.test(value);
}

/** The access token in a reply to TOKEN new, as `{ number, token, expiresAt }`. */
export function newToken(value) {
  const [, number, token, expiresAt] = /^new (\d+) (\S+) expires=(\S+)/.exec(value);
  return { number: Number(number), token, expiresAt };
}

/** Reasons of a LEAVE whose text says who removed the member, and why. */
export const REMOVALS = new Set(['banned', 'kicked']);

/** A ban or a mute. `target` is `-` for a network, and `until` is null if it does not end by itself. */
function sanction(kind, rest) {
  const [by, target, ends, text] = splitWords(rest, 3);
  return { kind, by, target, until: endOf(ends), text };
}

/** The time in `until=…`; null for one that never comes. */
function endOf(word) {
  const [, until] = splitAt(word, '=');
  return until === 'never' ? null : until;
}

function lifted(of, rest) {
  const [by, target] = splitWord(rest);
  return { kind: 'lifted', of, by, target };
}

function said(kind, rest) {
  const [name, text] = splitWord(rest);
  return { kind, name, text };
}

function drawn(rest) {
  const [name, drawing] = splitWord(rest);
  if (drawing === 'clear') return { kind: 'clear', name };
  const [colour, width, ...points] = drawing.split(' ');
  return { kind: 'draw', name, stroke: { colour, width: Number(width), points: points.map(parsePoint) } };
}

function parsePoint(word) {
  const [x, y] = word.split(',');
  return { x: Number(x), y: Number(y) };
}

/** Gives the password of the server. */
export function formatPass(password) {
  return `PASS ${safe(password)}`;
}

/** Logs in with a password or an access token. `takesOver`: also if another connection uses the account. */
export function formatLogin(name, secret, takesOver = false) {
  return `${takesOver ? 'TAKEOVER' : 'LOGIN'} ${word(name)} ${safeSecret(secret)}`;
}

export function formatRegister(password) {
  return `REGISTER ${safeSecret(password)}`;
}

/** Sets the password of the account. */
export function formatPassword(password) {
  return `PASSWORD ${safeSecret(password)}`;
}

export function formatUnregister(password) {
  return `UNREGISTER ${safeSecret(password)}`;
}

/** Makes an access token. */
export function formatNewToken(days, label) {
  return `TOKEN new days=${days} ${safe(label)}`;
}

export function formatRevokeToken(number) {
  return `TOKEN revoke ${number}`;
}

/** Takes or changes a name. A client without a name may name the room that it enters; otherwise it enters the lobby. */
export function formatNick(name, room = null) {
  return room === null ? `NICK ${safe(name)}` : `NICK ${safe(name)} ${word(room)}`;
}

/** Makes a command one about this room. */
export function inRoom(room, command) {
  return `${word(room)} ${command}`;
}

export function formatJoin(rooms) {
  return `JOIN ${rooms.map(word).join(',')}`;
}

export function formatPart(room, reason) {
  return reason ? `PART ${word(room)} ${safe(reason)}` : `PART ${word(room)}`;
}

/** Lists the rooms that begin with a prefix, those after another one if that is given. */
export function formatRooms(prefix, after) {
  return ['ROOMS', ...(prefix === '#' ? [] : [word(prefix)]), ...(after === null ? [] : [`after=${word(after)}`])].join(' ');
}

/** Sets a topic; an empty one clears it. */
export function formatTopic(text) {
  return `TOPIC ${text ? safe(text) : '-'}`;
}

export function formatKick(name, reason) {
  return ['KICK', word(name), ...(reason ? [safe(reason)] : [])].join(' ');
}

/**
 * Mutes or bans (`verb`) a target: a name or, for the connection of a member, its name after `@`. An empty duration means until it is
 * lifted. Then a reason whose first word looks like a duration gets quotation marks.
 */
export function formatSanction(verb, target, duration, reason) {
  const isMistakable = !duration && /^\s*\d+\p{L}*(?:\s|$)/u.test(reason);
  const why = isMistakable ? `“${reason}”` : reason;
  return [verb, word(target), ...(duration ? [duration] : []), ...(why ? [safe(why)] : [])].join(' ');
}

/** Lifts a ban or a mute (`of`) by its number. */
export function formatLift(of, number) {
  return `${of === 'ban' ? 'UNBAN' : 'UNMUTE'} ${number}`;
}

/** Lists bans and mutes; those after a number if that is given. */
export function formatBans(after) {
  return after === null ? 'BANS' : `BANS after=${after}`;
}

export function formatModerator(name, isModerator) {
  return `MODERATOR ${word(name)} ${isModerator ? 'on' : 'off'}`;
}

export function formatLock(lock) {
  return `LOCK ${lock}`;
}

export function formatInvite(name, isInvited) {
  return `INVITE ${word(name)} ${isInvited ? 'on' : 'off'}`;
}

export function formatDelete(id) {
  return `DELETE ${id}`;
}

export function formatMessage(text) {
  return `MSG ${safe(text)}`;
}

export function formatWhisper(names, text) {
  return `WHISPER ${safe(names.join(','))} ${safe(text)}`;
}

export function formatQuit(reason) {
  return reason ? `QUIT ${safe(reason)}` : 'QUIT';
}

/** The length of a line in bytes, as the server counts it. */
export function byteLength(line) {
  return new TextEncoder().encode(line).length;
}

/**
 * Replaces control and direction characters by U+FFFD. They must not be sent: the server handles backspace like a terminal, so pasted
 * text could delete the command before it and become another command.
 */
function safe(text) {
  return text.replaceAll('\t', ' ').replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** A password, which no account has with a control character. Other characters stay as they are, or it would be another password. */
function safeSecret(text) {
  return text.replace(/\p{Cc}/gu, '\ufffd');
}

/** A name as one word: a space would begin another argument. */
function word(name) {
  return safe(name).replace(/\p{White_Space}|,/gu, '\ufffd');
}

/** Formats a stroke. Points are rounded to whole numbers. */
export function formatStroke({ colour, width, points }) {
  return `DRAW ${colour} ${width} ${points.map(({ x, y }) => `${Math.round(x)},${Math.round(y)}`).join(' ')}`;
}

/** Parses `id=1 address=… idle=0 online=0 rank=owner`. */
function parseDetails(words) {
  return Object.fromEntries(words.split(' ').map((word) => splitAt(word, '=')));
}

/** The first `count` words, and the rest of the text. */
function splitWords(text, count) {
  const words = [];
  for (let rest = text; ; ) {
    if (words.length === count) return [...words, rest];
    const [word, next] = splitWord(rest);
    words.push(word);
    rest = next;
  }
}

function splitWord(text) {
  return splitAt(text, ' ');
}

function splitAt(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
